"""The worker that runs Imbi's webhook actions."""
