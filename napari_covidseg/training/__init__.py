"""Train models from recipes, and measure them."""
