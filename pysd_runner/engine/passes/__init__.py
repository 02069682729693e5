"""From one representation to another: order, integration, derivatives, shared values."""
