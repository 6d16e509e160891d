"""Latent-variable models: mixtures of what is seen over what is not."""
