import Metainfo

/// Bounds on messages from outside, each with its reason.
public enum WireLimits {
  /// Hashes of the base layer in one `hashes` message. BEP 52 advises at most 512; libtorrent asks
  /// for all leaves of a piece at once and stops at 8,192, which is a piece of 128 MiB.
  public static let hashesLength: UInt32 = 8_192
  /// Layers of uncle hashes in one `hashes` message: a file has at most 2^32 leaves, so there are
  /// 31 layers between them and the root.
  public static let proofLayers: UInt32 = 31
  /// Hashes in one `hashes` message: every layer of proof adds at most one.
  public static let hashes = Int(hashesLength + proofLayers)

  /// Bytes of data in one `piece` message: we request blocks of 16 KiB and no more, so nothing longer
  /// answers us.
  public static let blockBytes = blockLength
  /// Bytes in a bitfield: one bit for each piece of the largest torrent that we load. A framer is
  /// told the true size as soon as the torrent is known.
  public static let bitfieldBytes = Int(MetainfoLimits.pieces / 8)
  /// Bytes in a message of an extension, the byte of its number included: four times the longest one
  /// we know, which is a block of metadata with its dictionary.
  public static let extendedBytes = 1 << 16
  /// Bytes in a message of a kind that we do not know. They are stepped over and never kept, so this
  /// only tells a message from noise, as early as at its length.
  public static let unknownBytes = 1 << 20
  /// Bytes in a message, the byte of its kind included: the longest of them all is a bitfield.
  public static let messageBytes = 1 + bitfieldBytes

  /// What the dictionary of an extension's message may cost: real ones have some tens of values, and
  /// nest twice. Behind a dictionary there may be a block of metadata, which counts as bytes.
  public static let extensionValues = BencodeLimits(bytes: extendedBytes, depth: 16, nodes: 4_096)
  /// Bytes of metadata in one message. BEP 9.
  public static let metadataBlockBytes = 16_384
  /// Bytes that we keep of the name of a peer's program: names have some tens, and are shown in a
  /// line.
  public static let clientNameBytes = 128
  /// Requests that we believe a peer keeps waiting: 256 MiB, more than any connection has in flight.
  public static let requestQueue = 16_384
  /// Peers in one message of `ut_pex`, as many again dropped. BEP 11 has 50, but for the first
  /// message, in which libtorrent sends up to 100.
  public static let pexContacts = 100
  /// Bytes in a message of `sw_head`: those of the largest item, 1,214, and some for keys to come.
  public static let headBytes = 1_300
  /// Runs of blocks in one message of `sw_reads`: those of a read of 4 MiB, piece by piece.
  public static let readRuns = 64

  /// Bytes in a message of PCP. RFC 6887, section 7.
  public static let pcpBytes = 1_100
}
