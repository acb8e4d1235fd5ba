"""A progress bar, where one is wanted."""

from typing import Self

__all__ = ["Bar"]


class Bar:
    """A progress bar, or nothing."""

    def __init__(self, steps: int, shown: bool) -> None:
        self.bar = None
        if shown:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=steps, desc="sampling", unit="step")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def update(self, steps: int) -> None:
        """Move on."""
        if self.bar is not None:
            self.bar.update(steps)
