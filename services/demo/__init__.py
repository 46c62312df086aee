"""The demonstration's issuer: signs tokens for sample readers. It exists under `veche up` only."""
