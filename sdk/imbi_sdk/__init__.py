"""The Imbi plugin system."""
