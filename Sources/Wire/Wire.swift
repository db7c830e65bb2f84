/// Codecs of the wire protocols; no I/O.
public enum Wire {}
