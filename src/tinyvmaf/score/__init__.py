"""From numbers to an answer: features become scores, scores become one figure per clip, and a log says how."""
