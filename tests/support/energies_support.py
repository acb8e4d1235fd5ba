import torch
from problems import F64

WIDE = torch.linspace(-14, 14, 113, dtype=F64)
