"""Any model with any data: starting values, scenarios and projection; nothing here knows regions."""
