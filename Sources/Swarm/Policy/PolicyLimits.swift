import Metainfo

/// Bounds and times of whom to meet, whom to serve and how fast, each with its reason.
enum PolicyLimits {
  // MARK: Rates

  /// Length of a bucket of `RateMeter`, which has ten: 5 s together, long enough that the jumps of TCP
  /// do not show, short enough that a peer that stopped is seen to have stopped within a round of
  /// choking.
  static let rateBucket = Duration.milliseconds(500)
  /// Rates are never taken over less: the first block of a connection is no rate.
  static let shortestRateTime = Duration.seconds(1)
  /// A bucket of tokens that will never fill is looked at again after this, so that a rate of 0 needs
  /// no case of its own in any timer.
  static let longestWait = Duration.seconds(3_600)

  // MARK: Allowed fast

  /// Pieces that a choked peer may request: what BEP 6 does.
  static let allowedFast = 10
  /// No set is made longer than this, so that a search in it may be a walk.
  static let longestAllowedFast = 64
  /// Rounds of SHA-1 for one set. 64 of 64 pieces are found after about 60; a chain of hashes that ran
  /// in a circle would not end.
  static let allowedFastRounds = 1_000

  // MARK: Peers known

  /// Endpoints kept of a torrent: 25 times what is connected to, about 250 KB.
  static let knownPeers = 2_000
  /// Peers that the user named and that are therefore never given up: a link can hold any number, and
  /// each is tried four times a minute for ever. Those beyond are peers like others.
  static let namedPeers = 100
  /// Endpoints of one address, as told by others: many machines behind one router are rare, many ports
  /// of one victim are an attack by our connections. Loopback is free of it: there each port is a node.
  static let endpointsPerAddress = 16
  /// Endpoints in the list that one peer told us: BEP 11 wants candidates from several.
  static let peersPerTeller = 200
  /// Before the second attempt; doubled for each further one.
  static let firstRetry = Duration.seconds(5)
  /// The same for peers that the user named: who starts both sides starts one of them first.
  static let firstNamedRetry = Duration.seconds(1)
  /// Before any attempt.
  static let longestRetry = Duration.seconds(600)
  /// Before any attempt to reach a peer that the user named: the user waits for it.
  static let longestNamedRetry = Duration.seconds(15)
  /// Failures in a row after which a peer is given up: 75 s of attempts, a restart of the other side.
  static let tries = 5
  /// A peer that was given up is tried again when it is told of this much later: people come back.
  static let forgiveness = Duration.seconds(1_800)
  /// Liars remembered, by address or by endpoint; the oldest are forgotten. Each cost its owner an
  /// address and us at most some blocks.
  static let bans = 1_000
  /// Endpoints remembered to be our own: a machine has some addresses.
  static let ownEndpoints = 64

  // MARK: Choking

  /// Between two reviews of who is unchoked. BEP 3.
  static let chokingRound = Duration.seconds(10)
  /// How long a peer is unchoked to be tried out. BEP 3: three rounds.
  static let optimisticTime = Duration.seconds(30)
  /// How many times likelier a new peer is to be tried out next. BEP 3.
  static let newPeerWeight = 3
  /// What a seed gives a peer before others have their turn: 16 pieces of 1 MiB, so that pieces get
  /// whole and can be passed on.
  static let seedShare: UInt64 = 16 << 20
  /// How long a seed serves a peer that is too slow for its share.
  static let seedTime = Duration.seconds(60)

  // MARK: Requests

  /// How long a peer is not asked for a piece that it rejected; doubled each time. A checksum read
  /// again, or a message on its way, takes less.
  static let refusalTime = Duration.seconds(10)
  /// The most of that.
  static let longestRefusalTime = Duration.seconds(600)
  /// Pieces remembered of a peer that it rejected: more than are asked of it at once.
  static let refusedPieces = 256

  // MARK: Peer exchange

  /// Peers added, and peers dropped, in one of our messages. BEP 11.
  static let exchangeContacts = 50
  /// Between two of our messages. BEP 11.
  static let exchangeInterval = Duration.seconds(60)
  /// Between two messages of a peer: half of what BEP 11 has, for messages do wait in queues.
  static let exchangeTolerance = Duration.seconds(30)
  /// Peers that the other side was told of and not yet that they left: more than are ever connected.
  static let exchangeTold = 500

  // MARK: Metadata

  /// Bytes in an info dictionary from peers: 1.6 million v1 pieces, or some 400,000 files. What is
  /// larger must come as a file. libtorrent's own bound is a tenth of this.
  static let metadataBytes = 32 << 20
  /// Bytes in all the dictionaries that are collected at once, for as many sizes as peers claim: the
  /// largest one, and room for small ones beside it. Smaller ones come first, for they are cheap to
  /// be proven wrong.
  static let metadataBudget = 48 << 20
  /// Requests that one peer has to answer: one on its way, one being answered.
  static let metadataRequests = 2
  /// How long a request may take before others are asked: 16 KiB at less than 2 KB/s.
  static let metadataTimeout = Duration.seconds(10)
  /// Before a peer is asked again that rejected or was silent; doubled each time.
  static let metadataRetry = Duration.seconds(5)
  /// The most of that. A peer that gets the metadata meanwhile says so and is asked at once.
  static let longestMetadataRetry = Duration.seconds(60)
  /// How long one peer has alone, besides a second for each 64 KiB: a liar could else give a block in
  /// nine seconds for hours.
  static let metadataAloneTime = Duration.seconds(20)
  /// Bytes a second that are expected of a peer that is asked alone.
  static let metadataAloneRate = 64 << 10
}
