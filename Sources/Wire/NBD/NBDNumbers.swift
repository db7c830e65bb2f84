/// Magic numbers, by which each message is told. Sections "Newstyle negotiation" and "Transmission".
enum NBDMagic {
  /// "NBDMAGIC", the first bytes that a server sends.
  static let server: UInt64 = 0x4e42_444d_4147_4943
  /// "IHAVEOPT", before every option, and second in the server's greeting.
  static let option: UInt64 = 0x4948_4156_454f_5054
  static let optionReply: UInt64 = 0x0003_e889_0455_65a9
  static let request: UInt32 = 0x2560_9513
  static let simpleReply: UInt32 = 0x6744_6698
  static let structuredReply: UInt32 = 0x668e_33ef
  static let extendedRequest: UInt32 = 0x21e4_1c71
  static let extendedReply: UInt32 = 0x6e8a_278c
}

/// Options of the negotiation that a server may know. Section "Option types".
enum NBDOption: UInt32 {
  case exportName = 1
  case abort = 2
  case list = 3
  case startTLS = 5
  case info = 6
  case go = 7
  case structuredReply = 8
  case listMetaContext = 9
  case setMetaContext = 10
  case extendedHeaders = 11
}

/// What an answer to an option is. Section "Option reply types".
enum NBDOptionReply {
  static let ack: UInt32 = 1
  static let server: UInt32 = 2
  static let info: UInt32 = 3
  static let metaContext: UInt32 = 4
}

/// Why an option is refused. Section "Option reply types".
enum NBDRefusal: UInt32 {
  case unsupported = 0x8000_0001
  case policy = 0x8000_0002
  case invalid = 0x8000_0003
  case unknownExport = 0x8000_0006
  case shuttingDown = 0x8000_0007
  case tooBig = 0x8000_0009
  case extendedHeadersRequired = 0x8000_000a
}

/// What a client may want to know of an export. Section "Option reply types", `NBD_REP_INFO`.
enum NBDInformation {
  static let export: UInt16 = 0
  static let name: UInt16 = 1
  static let description: UInt16 = 2
  static let blockSize: UInt16 = 3
}

/// Flags of the handshake, the server's and the client's. Section "Handshake phase".
enum NBDHandshakeFlags {
  static let fixedNewstyle: UInt16 = 1 << 0
  static let noZeroes: UInt16 = 1 << 1
  static let known = fixedNewstyle | noZeroes
}

/// What an export can do. Section "Transmission flags".
enum NBDTransmissionFlags {
  static let hasFlags: UInt16 = 1 << 0
  static let readOnly: UInt16 = 1 << 1
  static let sendDontFragment: UInt16 = 1 << 7
  static let canMultiConnect: UInt16 = 1 << 8
  static let sendCache: UInt16 = 1 << 10
}

/// Requests. Section "Request types".
enum NBDCommand: UInt16 {
  case read = 0
  case write = 1
  case disconnect = 2
  case flush = 3
  case trim = 4
  case cache = 5
  case writeZeroes = 6
  case blockStatus = 7
}

/// Flags of a request. Section "Command flags".
enum NBDCommandFlags {
  static let dontFragment: UInt16 = 1 << 2
  static let requestOne: UInt16 = 1 << 3
  static let payloadLength: UInt16 = 1 << 5
}

/// Chunks of a structured or extended reply. Section "Structured reply types".
enum NBDChunk {
  static let none: UInt16 = 0
  static let data: UInt16 = 1
  static let blockStatus: UInt16 = 5
  static let blockStatusExtended: UInt16 = 6
  static let error: UInt16 = 0x8001
  static let errorOffset: UInt16 = 0x8002
  /// The flag of the last chunk of a reply.
  static let done: UInt16 = 1
}

/// Why a request failed, as the client is told. Section "Error values".
public enum NBDErrorCode: UInt32, Sendable, CaseIterable {
  /// `NBD_EPERM`: the export is read-only.
  case notPermitted = 1
  /// `NBD_EIO`: the bytes could not be had, or not in time.
  case inputOutput = 5
  /// `NBD_EINVAL`: no such command, flag or range.
  case invalid = 22
  /// `NBD_EOVERFLOW`: more in one request than we answer.
  case overflow = 75
  /// `NBD_ESHUTDOWN`: the node is going down.
  case shuttingDown = 108
}

/// How requests are answered, as negotiated.
enum NBDReplyStyle: Hashable, Sendable {
  case simple
  case structured
  /// With 64-bit lengths: the extension `EXTENDED_HEADERS`.
  case extended

  /// Bytes in the head of a request.
  var requestBytes: Int { self == .extended ? 32 : 28 }

  /// The number that each request begins with.
  var requestMagic: UInt32 { self == .extended ? NBDMagic.extendedRequest : NBDMagic.request }
}
