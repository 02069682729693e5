"""The compiled engine: runs a lowered model as machine code from LLVM, vectorised over draws or subscripts."""
