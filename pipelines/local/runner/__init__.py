"""One container as a plain process: image → environment → program in a private /opt/ml."""
