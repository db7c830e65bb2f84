/// Bounds and pauses of port mapping, each with its reason.
public enum MappingLimits {
  /// Lifetime that a lease is asked for, in seconds: short enough that a router forgets a node that
  /// died, and what RFC 6886, section 3.3, recommends.
  public static let lease: UInt32 = 7_200
  /// Lifetimes below are taken for this one, in seconds, so that no router has us ask all the time.
  static let leastLease: UInt32 = 30
  /// Lifetimes above are taken for this one, in seconds. RFC 6887, section 15.
  static let longestLease: UInt32 = 86_400
  /// How long PCP alone may be waited for while another service has answered: routers answer in
  /// milliseconds, and a lost datagram costs only that the second best is taken.
  static let pcpGrace = Duration.milliseconds(1_500)
  /// First time to wait for PCP's answer. RFC 6887, section 8.1.1, IRT.
  static let firstResend = Duration.seconds(3)
  /// Longest time to wait for PCP's answer. RFC 6887, section 8.1.1, MRT.
  static let longestResend = Duration.seconds(1_024)
  /// Unanswered sendings after which a router that had served is taken for gone: 45 seconds.
  static let sendingsBeforeGone = 4
  /// Failed jobs in a row after which a router that had served is taken for gone.
  static let strikesBeforeGone = 3
  /// Pause before a job that failed is done again.
  static let strikePause = Duration.seconds(20)
  /// How often a router is looked at between renewals, since it may have lost its state unnoticed:
  /// a few datagrams, and peers are locked out no longer than this.
  static let checkInterval = Duration.seconds(600)
  /// First pause after nothing worked; it doubles.
  static let firstPause = Duration.seconds(60)
  /// Longest pause: a router that gets support for mapping, or a person who turns it on, is rare.
  static let longestPause = Duration.seconds(3_600)
  /// Least time between two attempts to renew. RFC 6887, section 11.2.1.
  static let leastRenewal = Duration.seconds(4)
  /// Hosts do not all ask at once when a router announces that it began anew. RFC 6887, section 14.1.2.
  static let announcementSpread = Duration.seconds(5)
  /// Least time between announcements that are acted on: anyone on the link can send them.
  static let announcementInterval = Duration.seconds(10)
  /// External ports tried before a router is taken at its word that none is free.
  static let portsTried = 5
  /// Time between sendings of a removal at exit, and the time that exit may take with all of them.
  static let removalResend = Duration.milliseconds(400)
  static let removalTime = Duration.seconds(2)
  /// Longest time that a refusal is respected, in seconds: 30 minutes, what RFC 6887, section 7.4,
  /// has for errors that last.
  static let longestRefusal: UInt32 = 1_800
  /// Gateways at once: one a family.
  public static let gateways = 2
}
