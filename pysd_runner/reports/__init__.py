"""What a person is told: descriptions, summaries, and folders of results."""
