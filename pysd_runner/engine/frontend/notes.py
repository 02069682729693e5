"""What is done with something that a file asks for, in one sentence for all formats."""

READ = "honoured"
DRAWN = "how the model is drawn; no number depends on it"
SHOWN = "how numbers are shown; none depends on it"
PROGRAM = "settings of the program that wrote the file; no number depends on them"
ABOUT = "about the file; no number depends on it"
STUDY = "a study that the program offers beside the run; it is not done here"
OUTPUT = "where the program writes results; nothing is written here"
