"""OKX's private WebSocket as a part of its front."""
