import struct

import numpy as np

RELATIONS = ["circle", "crossing_lines", "inverse_sine"]
# Statistical tests reject at this p-value: the chance of a false alarm, per test, over seeds.
FALSE_ALARM = 1e-6


def idx_bytes(array, kind=0x08, dtype=">u1"):
    array = np.asarray(array)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.astype(dtype).tobytes()
