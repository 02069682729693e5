"""Reader of Vensim files."""
