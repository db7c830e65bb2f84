/// How often the DHT is asked and told, each with its reason.
enum RendezvousLimits {
  /// Between two announcements of one torrent: nodes of the DHT forget peers after half an hour, and
  /// BEP 5 names 15 minutes in one breath with tokens.
  static let announceTime = Duration.seconds(900)
  /// The first time while there are no peers, doubled up to `announceTime`: who begins at the same time
  /// as we may be a minute later.
  static let lonelyTime = Duration.seconds(60)
  /// Between two times that a change of the network makes everything due: an interface may come and go
  /// every few seconds, and a thousand torrents take a minute and a half.
  static let changeTime = Duration.seconds(60)
  /// Between two questions for a newer head. Heads come from connected peers within seconds; this is
  /// for who has none.
  static let getTime = Duration.seconds(600)
  /// The first time while somebody waits for a first peer or for any head, doubled up to `announceTime`
  /// and `getTime`. Two that begin at the same moment miss each other the first time: each asks before the
  /// other has told, and where nodes have just left, telling takes a second or two.
  static let hurriedTime = Duration.seconds(4)
  /// Between two times that a head is stored. BEP 44: once an hour, or nodes may forget it after two.
  static let putTime = Duration.seconds(3_600)
  /// In which a head that others published is stored, at random: all who follow learn of it at once.
  static let putSpread = Duration.seconds(120)
  /// How long an answer to "who has this head" is good for leaving out a store.
  static let getFreshness = Duration.seconds(900)
  /// Copies of a head beyond which it need not be stored by us, too. BEP 44, "Expiration".
  static let enoughCopies = 8
  /// The first time after nobody in the DHT answered, doubled up to `longestRetry`: the network may come
  /// back at any moment, and a question that goes nowhere costs little.
  static let firstRetry = Duration.seconds(5)
  /// The most of that.
  static let longestRetry = Duration.seconds(300)
  /// The part of a time by which it is varied, up and down.
  static let jitter = 0.1
  /// Lookups at once that are part of the routine: each is some tens of packets.
  static let atOnce = 8
  /// Lookups at once together with those that somebody waits for.
  static let atOnceWithUrgent = 16
  /// Between two beginnings of the routine: a thousand torrents are told to the DHT in under two
  /// minutes, at 400 packets a second.
  static let spacing = Duration.milliseconds(100)
  /// A lookup of which nothing was heard for so long is given up: those of the DHT end in seconds.
  static let lookupTime = Duration.seconds(120)
}
