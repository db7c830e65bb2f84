/// Bounds on what others can make discovery keep or send, each with its reason.
public enum DiscoveryLimits {}
