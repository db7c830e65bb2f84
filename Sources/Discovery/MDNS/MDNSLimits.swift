/// Bounds and times of multicast DNS, each with its reason. Sections are of RFC 6762.
public enum MDNSLimits {
  /// Port of all multicast DNS. Section 3.
  public static let port: UInt16 = 5_353

  /// Seconds that records with a host in them may be kept. Section 10.
  static let hostTimeToLive: UInt32 = 120
  /// Seconds that other records may be kept. Section 10.
  static let otherTimeToLive: UInt32 = 4_500
  /// Seconds at most that we keep what others say, however long they allow: what is wrong ends.
  static let longestTimeToLive: UInt32 = 4_500
  /// Seconds that a program of plain DNS may keep what we say. Section 6.7.
  static let legacyTimeToLive: UInt32 = 10

  /// Probes before a name is ours, and the time after each. Section 8.1.
  static let probes = 3
  static let probeInterval = Duration.milliseconds(250)
  /// Wait before the first probe, so that machines which start together do not probe together.
  static let probeDelay = 0...250
  /// Wait of the one who loses against a probe at the same time. Section 8.2.
  static let tieDelay = Duration.seconds(1)
  /// So many conflicts in so long, and probing goes on with pauses. Section 8.1.
  static let conflicts = 15
  static let conflictWindow = Duration.seconds(10)
  static let conflictPause = Duration.seconds(5)

  /// How often a record is announced, and the time between. Section 8.3.
  static let announcements = 2
  static let announcementInterval = Duration.seconds(1)

  /// Least time between two packets of a link. With 1,000 subtypes there are 40 packets to announce;
  /// so they take two seconds and a quarter of a megabit a second, which a slow wireless network has.
  static let packetInterval = Duration.milliseconds(50)
  /// The same for goodbyes when all ends: nobody wants to wait.
  static let lastPacketInterval = Duration.milliseconds(10)
  /// Least time between two multicasts of a record, and when a name is defended. Section 6.
  static let recordInterval = Duration.seconds(1)
  static let defenceInterval = Duration.milliseconds(250)
  /// Wait before an answer that others may give too, in milliseconds. Section 6.
  static let sharedDelay = 20...120
  /// Wait for the rest of the known answers, in milliseconds. Section 7.2.
  static let truncatedDelay = 400...500
  /// Questioners of whom we wait for more known answers; others are answered at once.
  static let truncatedQuestioners = 64
  /// Records kept that a questioner knows already, at most.
  static let knownAnswers = 2_048
  /// Unicast answers in a second, on a link: with more, somebody wants us to flood a third.
  static let unicastAnswers = 50

  /// Wait before the first question, in milliseconds. Section 5.2.
  static let questionDelay = 20...120
  /// Time to the second question; doubled each time, up to the longest. Section 5.2.
  static let firstQuestionInterval = Duration.seconds(1)
  static let longestQuestionInterval = Duration.seconds(3_600)
  /// Packets of known answers with one question.
  static let knownAnswerPackets = 16

  /// How long a record is kept after its goodbye, or after a newer one replaced it. Section 10.1.
  static let goodbyeDelay = Duration.seconds(1)
  /// Parts of a record's life in hundredths after which it is asked for again. Section 5.2.
  static let refreshes = [80, 85, 90, 95]

  /// Instances of one name that we know of, on an interface: more than a room full of peers.
  static let instancesOfName = 512
  /// Records kept from one interface.
  static let cachedRecords = 16_384
  /// Records of a name and type that is not shared: addresses, mostly.
  static let recordsOfName = 16
  /// Names asked about on an interface at once.
  static let questions = 8_192
  /// Bytes of the texts of a service of ours: with more, its record would need a packet of its own.
  static let textBytes = 1_000
  /// Addresses of an interface that we publish: what a packet holds with room for more.
  static let addresses = 16
  /// Own packets remembered, to know them when the system hands them back to us, and for how long.
  static let echoes = 256
  static let echoTime = Duration.seconds(2)
}
