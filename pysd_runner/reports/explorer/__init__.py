"""Write a model as one HTML page that runs it in the browser: a WebAssembly module, stored draws and sliders."""
