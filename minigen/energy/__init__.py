"""Energy-based models: probabilities known up to a constant."""
