"""Reports for readers: descriptions, summaries and folders of results."""
