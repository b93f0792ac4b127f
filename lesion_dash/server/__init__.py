"""The web server of the dashboard: Voila's set-up, access, kernels."""
