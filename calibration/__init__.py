"""What fits, how sure, how good: from a panel to parameters, forecasts and scores."""
