"""Readers of data sets: series over time by names of variables and elements, from text, workbooks and Vensim."""
