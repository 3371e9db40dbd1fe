"""How the shipped saliency model is made: pictures, labels, network, fit and export, in one command."""
