"""What transformers are made of: blocks of attention, and small weights to begin with."""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ebmlab.errors import ConfigurationError
from ebmlab.networks.recomputed import Recomputable

__all__ = ["Block", "begin_small", "begin_uniform"]


class Block(Recomputable):
    """Attention, then an MLP, each on normalized tokens and added: (n, tokens, dim) of both.

    Args:
        dim: length of a token.
        heads: of the attention; they divide dim.
        causal: whether a token attends to itself and those before it only.

    Raises:
        ConfigurationError: heads does not divide dim.

    Example:
        >>> import torch
        >>> Block(8, heads=2)(torch.zeros(3, 5, 8)).shape
        torch.Size([3, 5, 8])

    Source: Vaswani et al. 2017, arXiv:1706.03762; normalized first, Dosovitskiy et al. 2021,
    arXiv:2010.11929.
    """

    def __init__(self, dim: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        if dim % heads:
            raise ConfigurationError(f"heads {heads} does not divide dim {dim}")
        self.heads, self.causal = heads, causal
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, h: Tensor) -> Tensor:
        """The tokens after attention and MLP."""
        qkv = self.qkv(self.attention_norm(h))
        q, k, v = rearrange(qkv, "n t (s a d) -> s n a t d", s=3, a=self.heads)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        h = h + self.out(rearrange(mixed, "n a t d -> n t (a d)"))
        return h + self.mlp(self.mlp_norm(h))


def begin_small(network: nn.Module, *tokens: nn.Parameter) -> None:
    """Truncated normal weights and tokens of standard deviation 0.02, biases 0."""
    for parameter in tokens:
        nn.init.trunc_normal_(parameter, std=0.02)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def begin_uniform(network: nn.Module, *tokens: nn.Parameter) -> None:
    """Xavier's uniform weights, tokens of standard deviation 0.02, biases 0.

    The embedding of patches counts as the linear layer that it is.

    Source: Glorot, Bengio 2010; as in He, Chen, Xie, Li, Dollár, Girshick 2022, arXiv:2111.06377.
    """
    for parameter in tokens:
        nn.init.normal_(parameter, std=0.02)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight.detach().flatten(1))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
