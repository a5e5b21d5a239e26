"""Nibble Lab's panels for JupyterLab, as a prebuilt extension."""

__version__ = "0.1.0"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "@nibble-lab/lab-extension"}]
