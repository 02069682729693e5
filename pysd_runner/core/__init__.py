"""What every other part may use: errors, checks of plain values, places of shipped models, numbers for people."""
