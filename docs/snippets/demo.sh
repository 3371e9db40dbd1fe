tinyvmaf demo
