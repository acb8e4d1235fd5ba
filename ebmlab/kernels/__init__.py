"""Fast paths: compiled blocks, captured graphs, fused updates; each with its plain-torch twin."""
