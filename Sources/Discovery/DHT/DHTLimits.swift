/// Numbers of the DHT, each with its reason. Times are in microseconds, as `DHTTime` is.
enum DHTLimits {
  // MARK: Table

  /// Nodes in a bucket, in an answer, and to store on. BEP 5, "K".
  static let bucketSize = 8
  /// Nodes that wait for a place in a bucket: enough to replace half of it at once.
  static let spares = 4
  /// A node is good for so long after it was heard of. BEP 5.
  static let goodFor = 15 * minute
  /// Answers missed in a row that make a node bad. BEP 5: "multiple".
  static let badAfter: UInt8 = 2
  /// Bad nodes stay while nothing is there to replace them, up to so many misses.
  static let goneAfter: UInt8 = 5
  /// Nodes of one /24 or /64 in a bucket. libtorrent has 1.
  static let networkInBucket = 1
  /// Nodes of one /24 or /64 in a table.
  static let networkInTable = 4
  /// Nodes that are kept across runs, of each family: more than a table of ten million nodes has.
  static let savedNodes = 300
  /// Bytes in the file of these.
  static let stateBytes = 1 << 16

  // MARK: Upkeep

  /// Between two looks at the table.
  static let upkeepPeriod = 10 * second
  /// Nodes that are pinged in one look: a table of 100 is checked in two minutes, with a burst nobody
  /// notices.
  static let pingsAtOnce = 8
  /// A bucket in which nothing has changed for so long is refreshed. BEP 5.
  static let refreshAfter = 15 * minute
  /// Nodes told by others (configured, PORT messages, local network) that are remembered.
  static let knownNodes = 64
  /// First and longest wait before these are asked again, while no node is known.
  static let firstBootstrapWait = 1 * second
  static let longestBootstrapWait = 60 * second
  /// One of them is asked for our neighbours so often while all is well: after a network was in two
  /// parts for long, neither part knows a node of the other.
  static let rejoinPeriod = 15 * minute
  /// Unknown nodes which have asked us and are being asked back, at once.
  static let probesAtOnce = 16
  /// How long a node has to answer a ping.
  static let pingPatience = 3 * second

  // MARK: Lookups

  /// Nodes of one family that a lookup waits for at once. Kademlia, "α"; libtorrent has 3 to 5.
  static let concurrency = 4
  /// The same with those that are late.
  static let outstanding = 16
  /// Nodes of one family that a lookup asks before it gives up: neighbours that make up ever closer
  /// ids end here. An honest network of ten million nodes takes about 40.
  static let asked = 96
  /// Nodes of one family that a lookup remembers, those nearest to the target.
  static let candidates = 128
  /// Nodes of one /24 or /64 among these.
  static let networkInLookup = 3
  /// Lookups that run at once; others wait for their turn.
  static let running = 32
  /// Lookups that wait: a thousand datasets with a few each.
  static let waiting = 4_096
  /// Peers that one lookup tells of: as many as a swarm can use.
  static let peersTold = 2_000
  /// Items that one lookup checks the signature of, at some 100 µs each.
  static let itemsChecked = 64
  /// How long a lookup in which nobody has answered waits for that.
  static let patience = 5 * second
  /// Queries on their way: all lookups with all they may ask, and some.
  static let transactions = 1_280
  /// A transaction is remembered for so long, for the sake of late answers.
  static let transactionLife = 8 * second
  /// Bounds of the wait for an answer after which the next node is asked. It follows the measured round
  /// trips; below the first, a neighbour that was not scheduled for a moment would count as late.
  static let shortestWait = 4 * millisecond
  static let longestWait = 1 * second
  /// The wait before anything was measured.
  static let firstWait = 300 * millisecond
  /// The least time that a node has until a lookup goes on without it, and to answer an announce or a
  /// put: a machine may be busy for a moment.
  static let shortestPatience = 12 * millisecond
  static let shortestStorePatience = 250 * millisecond
  /// Nodes that have missed an answer of late are remembered, so that a lookup does not wait for them.
  static let suspects = 128
  static let suspectFor = 2 * minute

  // MARK: Answers

  /// Bytes in an answer. BEP 32.
  static let answerBytes = 1_024
  /// Bytes in an answer with a value of up to 1,000 bytes, its key, signature and nodes: fits in a
  /// frame of Ethernet.
  static let answerWithValueBytes = 1_400
  /// Infohashes in a sample. BEP 51. With the nodes within `answerBytes`.
  static let samples = 20
  /// Infohashes are drawn anew after so long.
  static let sampleFor = 6 * 60 * minute
  /// Peers and values stay for so long after they were last announced. libtorrent keeps peers for
  /// about 45 minutes; BEP 44, "Expiration".
  static let peerLife = 45 * minute
  static let itemLife = 120 * minute
  /// Between two looks for what has expired.
  static let sweepPeriod = 1 * minute
  /// Tokens are made from a new secret so often, and the one before is good still. BEP 5.
  static let tokenPeriod = 5 * minute
  static let tokenBytes = 8
  /// Addresses whose queries are counted at once. Beyond, they are counted together.
  static let countedSources = 1_024
  /// The stretch over which they are counted.
  static let countingPeriod = 10 * second

  // MARK: Votes

  /// Votes on our address that are remembered.
  static let votes = 16
  /// Votes that settle it at first, and those that change it later.
  static let votesToSettle = 3
  static let votesToChange = 9
  /// An id is kept for at least so long, whatever others say.
  static let idLife = 10 * minute

  static let millisecond: Int64 = 1_000
  static let second: Int64 = 1_000_000
  static let minute: Int64 = 60 * second
}
