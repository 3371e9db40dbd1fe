tinyvmaf shots demo/reference.mkv --detector content --min-length 0.5s
tinyvmaf shots demo/reference.mkv --detector auto --json shots.json --csv shots.csv --qpfile keyframes.txt -q
