"""The texts of tables and pictures, in every language they exist in."""
