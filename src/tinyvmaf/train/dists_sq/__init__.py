"""How `dists_sq`, our small stand-in for DISTS, is taught: open pictures, ways to damage them, and DISTS itself."""
