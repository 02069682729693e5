"""Which policy: effects of policies on the same draws, what they are made of, and how surely one is better."""
