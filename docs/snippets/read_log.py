import tinyvmaf

log = tinyvmaf.read_log("vmaf.json")  # or .xml, .csv, .sub; libvmaf's and FFmpeg's too

print(log.column("adm2")[:4])  # found under "integer_adm2" as well
print(log.pooled["vmaf"]["harmonic_mean"])
