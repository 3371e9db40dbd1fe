tinyvmaf models list
tinyvmaf models show vmaf_tiny
tinyvmaf models verify
tinyvmaf models parity vmaf_tiny --devices cpu:threads=2,cpu:unoptimised --json parity.json
