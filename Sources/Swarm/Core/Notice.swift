import Metainfo
import Store
import Wire

/// Something that an operator may want to know.
public enum Notice: Sendable {
  /// Why a peer is not talked to any more.
  public enum PeerEnd: Hashable, Sendable {
    /// The connection could not be made, or the peer closed it, or the system did: in its words.
    case connection(String)
    /// What came is no BitTorrent handshake.
    case notBitTorrent(HandshakeError)
    /// The handshake, or anything else that was due, did not come in time.
    case silent
    /// A torrent that is not here.
    case unknownTorrent(SHA1Digest)
    /// The peer is this node.
    case isSelf
    /// There is a connection to the same peer already.
    case duplicate
    /// It broke the protocol.
    case protocolError(PeerProtocolError)
    /// An extension's message cannot be read.
    case extensionError(ExtensionError)
    /// It broke the rules: in words, with the specification.
    case misconduct(String)
    /// It sent bytes that are proven to be wrong: it is banned.
    case corrupt(String)
    /// Neither side has anything for the other.
    case useless
    /// There are as many connections as may be.
    case tooMany
    /// The torrent was removed, or the node stops.
    case stopping
  }

  /// The torrent's metadata came from peers.
  case metadata(TorrentID)
  /// The torrent's metadata is what was asked for, and says what cannot be: in words.
  case unusable(TorrentID, String)
  /// The block maps are loaded: what is here is known.
  case opened(TorrentID)
  /// All that was asked for is here and on disk.
  case finished(TorrentID)
  /// A connection was made, handshakes included.
  case peerConnected(TorrentID, ConnectionID, PeerEndpoint)
  /// A connection, or the attempt, has ended.
  case peerGone(TorrentID?, ConnectionID, PeerEndpoint, PeerEnd)
  /// The peer lied, and is not talked to any more: who, and what about.
  case banned(TorrentID, PeerEndpoint, String)
  /// Verified blocks are not there any more: so many.
  case lost(TorrentID, blocks: Int)
  /// A file in place was changed by somebody.
  case changed(TorrentID, FileIndex)
  /// The file is right by the torrent's v1 description and wrong by its v2 description.
  case contradiction(TorrentID, FileIndex)
  /// The disk is full: the torrent waits for room.
  case diskFull(TorrentID, DiskFailure)
  /// There is room again.
  case diskHasRoom(TorrentID)
  /// The disk failed.
  case diskFailed(TorrentID, DiskFailure)
  /// The owner of a dataset that is followed has published a newer version: the newest head known.
  /// Their numbers only ever grow.
  case head(DatasetKey, MutableItem)
  /// There are two heads of this number that differ, both signed with the key: it was used on two
  /// machines, or its publisher took something back. The one that came first counts. Told once a
  /// number.
  case keyUsedTwice(DatasetKey, Int64)
  /// A peer has told where its node of the DHT is. BEP 5, "port".
  case dhtNode(PeerEndpoint)
  /// The torrent is at rest, and all that was to be kept is on disk.
  case closed(TorrentID)
}
