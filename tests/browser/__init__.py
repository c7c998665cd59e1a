"""The panel in Chromium, on the example shop, run as a server of its own."""
