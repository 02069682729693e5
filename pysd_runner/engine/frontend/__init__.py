"""Front end: parse Vensim and XMILE files into a common syntax tree and lower it to the intermediate representation."""
