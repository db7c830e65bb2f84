import Metainfo

/// One datagram of the DHT. BEP 5, "KRPC Protocol".
public struct KRPCMessage: Hashable, Sendable {
  /// What a query is known by, so that its answer can be told from others: any bytes, up to
  /// `KRPCLimits.transactionBytes`. "t"
  public var transaction: [UInt8]
  /// The sender's program: two letters and two bytes of version, as a rule. "v"
  public var version: [UInt8]?
  /// In an answer, where the query came from as the answering node saw it; port 0 where it told only
  /// the address. BEP 42, "ip"
  public var requester: PeerEndpoint?
  /// What is said.
  public var body: Body

  /// The three kinds of message. "y"
  public enum Body: Hashable, Sendable {
    /// "q"
    case query(KRPCQuery)
    /// "r"
    case response(KRPCResponse)
    /// "e"
    case error(KRPCError)
  }

  /// A message from its parts.
  public init(
    transaction: [UInt8], version: [UInt8]? = nil, requester: PeerEndpoint? = nil, body: Body
  ) {
    self.transaction = transaction
    self.version = version
    self.requester = requester
    self.body = body
  }
}

/// A question. BEP 5, "DHT Queries".
public struct KRPCQuery: Hashable, Sendable {
  /// The node that asks.
  public var id: NodeID
  /// The node answers no queries, so it is not to be kept. BEP 43, "ro"
  public var isReadOnly: Bool
  /// What it asks for.
  public var method: KRPCMethod

  /// A query from its parts.
  public init(id: NodeID, isReadOnly: Bool = false, method: KRPCMethod) {
    self.id = id
    self.isReadOnly = isReadOnly
    self.method = method
  }
}

/// What can be asked, with its arguments.
public enum KRPCMethod: Hashable, Sendable {
  /// Are you there? BEP 5.
  case ping
  /// Which nodes are next to the target? BEP 5, BEP 32.
  case findNode(target: NodeID, want: NodeFamilies)
  /// Who has the torrent? BEP 5.
  case getPeers(GetPeers)
  /// I have the torrent. BEP 5.
  case announcePeer(AnnouncePeer)
  /// Which value is kept under the target? Only if its number is above `newerThan`. BEP 44.
  case get(target: NodeID, newerThan: Int64?, want: NodeFamilies)
  /// Keep a value. BEP 44.
  case put(Put)
  /// Which infohashes do you keep? BEP 51.
  case sampleInfohashes(target: NodeID, want: NodeFamilies)
  /// Something else.
  case unknown(name: [UInt8])

  /// Arguments of `get_peers`. BEP 5, BEP 32, BEP 33.
  public struct GetPeers: Hashable, Sendable {
    /// Of which torrent.
    public var infohash: NodeID
    /// Which nodes to add.
    public var want: NodeFamilies
    /// Rather peers that are no seeds.
    public var noSeeds: Bool
    /// Add the filters by which seeds and peers are counted.
    public var scrape: Bool

    /// Arguments from their parts.
    public init(
      infohash: NodeID, want: NodeFamilies = [], noSeeds: Bool = false, scrape: Bool = false
    ) {
      self.infohash = infohash
      self.want = want
      self.noSeeds = noSeeds
      self.scrape = scrape
    }
  }

  /// Arguments of `announce_peer`. BEP 5, BEP 33.
  public struct AnnouncePeer: Hashable, Sendable {
    /// Of which torrent.
    public var infohash: NodeID
    /// Where the peer listens; nil for the port that the datagram comes from ("implied_port").
    public var port: UInt16?
    /// It has everything.
    public var isSeed: Bool
    /// What the node has given in its answer to `get_peers`.
    public var token: [UInt8]

    /// Arguments from their parts.
    public init(infohash: NodeID, port: UInt16?, isSeed: Bool = false, token: [UInt8]) {
      self.infohash = infohash
      self.port = port
      self.isSeed = isSeed
      self.token = token
    }
  }

  /// Arguments of `put`. Sizes of value and salt are not checked: the answers to those that are too
  /// large are errors of their own. BEP 44.
  public struct Put: Hashable, Sendable {
    /// What the node has given in its answer to `get`.
    public var token: [UInt8]
    /// The value, bencoded, as it stood in the message.
    public var value: [UInt8]
    /// What makes the value a mutable one.
    public var owner: Owner?

    /// Who signed the value.
    public struct Owner: Hashable, Sendable {
      /// "k"
      public var key: DatasetKey
      /// "salt"
      public var salt: [UInt8]
      /// "seq"
      public var sequence: Int64
      /// "sig"
      public var signature: Signature
      /// The number of the value that is to be replaced, and no other. "cas"
      public var expected: Int64?

      /// A signed value's data from its parts.
      public init(
        key: DatasetKey, salt: [UInt8] = [], sequence: Int64, signature: Signature,
        expected: Int64? = nil
      ) {
        self.key = key
        self.salt = salt
        self.sequence = sequence
        self.signature = signature
        self.expected = expected
      }
    }

    /// Arguments from their parts.
    public init(token: [UInt8], value: [UInt8], owner: Owner? = nil) {
      self.token = token
      self.value = value
      self.owner = owner
    }
  }
}

/// Families of addresses whose nodes an answer is to have. BEP 32, "want". Empty where a query does
/// not say: the family by which it came.
public struct NodeFamilies: OptionSet, Hashable, Sendable {
  /// Bit 0 for IPv4, bit 1 for IPv6.
  public let rawValue: UInt8

  /// Families from their bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// "n4"
  public static let v4 = NodeFamilies(rawValue: 1)
  /// "n6"
  public static let v6 = NodeFamilies(rawValue: 2)
}

/// An answer. Which fields it has depends on what was asked, which the message does not tell.
public struct KRPCResponse: Hashable, Sendable {
  /// The node that answers.
  public var id: NodeID
  /// Nodes with IPv4 addresses next to the target. BEP 5.
  public var nodes: [NodeContact]?
  /// Nodes with IPv6 addresses next to the target. BEP 32.
  public var nodes6: [NodeContact]?
  /// Peers of a torrent, of either family. BEP 5.
  public var peers: [PeerEndpoint]?
  /// What allows to announce or to put. BEP 5.
  public var token: [UInt8]?
  /// A value, bencoded, as it stood in the message. "v", BEP 44.
  public var value: [UInt8]?
  /// Who signed the value. "k"
  public var key: DatasetKey?
  /// Number of the value, told even where the value is left out. "seq"
  public var sequence: Int64?
  /// The signature of the value. "sig"
  public var signature: Signature?
  /// The filter of seeds. "BFsd", BEP 33.
  public var seedFilter: ScrapeFilter?
  /// The filter of peers that are no seeds. "BFpe", BEP 33.
  public var peerFilter: ScrapeFilter?
  /// Infohashes that the node keeps peers of. BEP 51.
  public var samples: [NodeID]?

  /// The answer that says least.
  public init(id: NodeID) { self.id = id }
}

/// An answer that says what was wrong. BEP 5, "Errors"; BEP 44, "Errors".
public struct KRPCError: Error, Hashable, Sendable {
  /// What kind of error.
  public var code: Int64
  /// What was wrong, for people.
  public var text: [UInt8]

  /// An error from its parts.
  public init(code: Int64, text: [UInt8]) {
    self.code = code
    self.text = text
  }

  /// An error from its parts.
  public init(_ code: Code, _ text: String) {
    self.init(code: code.rawValue, text: Array(text.utf8))
  }

  /// Codes that have a meaning.
  public enum Code: Int64, Sendable {
    /// BEP 5.
    case generic = 201
    /// BEP 5.
    case server = 202
    /// A malformed message, wrong arguments or a wrong token. BEP 5.
    case protocolError = 203
    /// BEP 5.
    case methodUnknown = 204
    /// BEP 44.
    case valueTooLarge = 205
    /// BEP 44.
    case wrongSignature = 206
    /// BEP 44.
    case saltTooLarge = 207
    /// BEP 44.
    case compareAndSwapMismatch = 301
    /// BEP 44.
    case sequenceTooLow = 302
  }
}

/// Why a datagram is no message of the DHT.
public struct KRPCProtocolError: Error, Hashable, Sendable {
  /// Offset of the fault in the datagram, in bytes.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason
  /// Where the datagram is a query after all: what an error in answer to it has to repeat.
  public internal(set) var transaction: [UInt8]?

  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// No canonical bencoding.
    case bencode(BencodeError.Reason)
    /// A field is not there.
    case missing(String)
    /// A field is of another kind than this.
    case wrongKind(String, expected: BencodeKind)
    /// A string of so many bytes, where others are expected.
    case wrongLength(String, Int)
    /// A number that cannot be.
    case outOfRange(String, Int64)
    /// A message that is no query, response or error.
    case unknownMessage([UInt8])
  }
}

extension KRPCProtocolError: CustomStringConvertible {
  /// "byte 12: "id" has 19 bytes".
  public var description: String { "byte \(offset): \(reason)" }
}

extension KRPCProtocolError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .bencode(let reason): "\(reason)"
    case .missing(let field): "\"\(field)\" is missing"
    case .wrongKind(let field, let kind): "\"\(field)\" is not a \(kind.rawValue)"
    case .wrongLength(let field, let count): "\"\(field)\" has \(count) bytes"
    case .outOfRange(let field, let number): "\"\(field)\" is \(number)"
    case .unknownMessage(let kind): "a message of kind \"\(printable(kind.prefix(8)))\""
    }
  }
}
