"""Speed of the engine, measured side by side with other engines; only ratios are quoted."""
