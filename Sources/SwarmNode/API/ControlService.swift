import Metainfo
import Swarm
import Wire

/// What a node that runs many datasets can do for programs on the same machine: the control API asks it
/// all that it answers. Belongs to the loop's thread.
///
/// A dataset's id is its key's 64 hexadecimal digits, or those of the infohash where there is no key (of the
/// v2 description, else of the v1 description). Ids that are passed in are of datasets that `datasets` had
/// at that moment.
public protocol ControlService: AnyObject {
  /// How the node is doing.
  var nodeView: NodeView { get }
  /// All datasets, in an order that stays.
  var datasets: [DatasetView] { get }
  /// What is offered as a block device.
  var exports: [ExportView] { get }

  /// Takes part in a dataset from now on, as a restart will. `completion` gets its id when that is sure,
  /// which does not mean that anything of it is here. Fails with `.conflict` where it takes part already.
  func add(_ request: AddRequest, completion: @escaping (Result<String, ControlFailure>) -> Void)
  /// Takes part no more. The content stays where it is. `completion` is called when all is on disk.
  func remove(_ dataset: String, completion: @escaping (ControlFailure?) -> Void)

  /// The link to pass on, of a private dataset with what opens it: for who asks for nothing else.
  func link(of dataset: String) throws(ControlFailure) -> String

  /// Versions that are known, newest first; one for a torrent that is no dataset.
  func versions(of dataset: String) throws(ControlFailure) -> [VersionView]
  /// What a version has in it: of the newest one that is here where there is no number. Fails with
  /// `.unavailable` while it is not known.
  func info(of dataset: String, version: UInt64?) throws(ControlFailure) -> InfoDictionary
  /// A file to read from, by its place in the version: from disk where it is here, from peers where it is
  /// not.
  func open(
    _ file: Int, of dataset: String, version: UInt64?,
    completion: @escaping (Result<ReadableFile, ControlFailure>) -> Void)
  /// Fetches ranges of a file behind all reads, in this order. How many were taken: those behind are too
  /// many.
  func prefetch(
    _ ranges: [Range<UInt64>], of file: Int, in dataset: String, version: UInt64?
  ) throws(ControlFailure) -> Int

  /// Connected peers.
  func peers(of dataset: String) -> [PeerView]
  /// Tries to connect to a peer.
  func add(peer: PeerAddress, to dataset: String) throws(ControlFailure)

  /// Offers a file as a block device.
  func export(_ request: ExportRequest) throws(ControlFailure) -> ExportView
  /// Offers it no more. Who reads it gets errors.
  func removeExport(named name: [UInt8]) throws(ControlFailure)
  /// What was read of a file that is or was exported, since it was first opened.
  func trace(of file: Int, in dataset: String, version: UInt64?) throws(ControlFailure) -> BootTrace
  /// The trace that a dataset brings for one of its files; nil where it has none. `completion` is called
  /// when it was fetched.
  func shippedTrace(
    of file: Int, in dataset: String, version: UInt64?,
    completion: @escaping (Result<BootTrace?, ControlFailure>) -> Void)
}

/// Why something could not be done: in words for whoever asked.
public enum ControlFailure: Error, Hashable, Sendable {
  /// There is no such thing.
  case notFound(String)
  /// What is there stands against it.
  case conflict(String)
  /// It cannot be done as asked.
  case invalid(String)
  /// Not now: something is not known or not here yet.
  case unavailable(String)
  /// It did not come in time.
  case timeout(String)
  /// The system failed.
  case system(String)
}

/// A wish for a dataset.
public struct AddRequest: Hashable, Sendable {
  /// A link, key, infohash, or the absolute path of a `.torrent`.
  public var link: LinkArgument
  /// The folder in which the dataset gets its own; nil for a place in the state folder.
  public var directory: [UInt8]?
  /// Whether only what is read is fetched.
  public var isSparse: Bool
  /// Patterns of files that are wanted; empty for all.
  public var only: [String]
  /// Peers to be tried first.
  public var peers: [PeerAddress]
  /// How many old versions stay beside the newest; nil for all.
  public var keep: UInt16?

  /// A wish from its parts.
  public init(
    link: LinkArgument, directory: [UInt8]? = nil, isSparse: Bool = false, only: [String] = [],
    peers: [PeerAddress] = [], keep: UInt16? = nil
  ) {
    self.link = link
    self.directory = directory
    self.isSparse = isSparse
    self.only = only
    self.peers = peers
    self.keep = keep
  }
}

/// A wish for a block device.
public struct ExportRequest: Hashable, Sendable {
  /// The id of the dataset.
  public var dataset: String
  /// nil for the newest version.
  public var version: UInt64?
  /// The file's place in the version.
  public var file: Int
  /// A short name; nil for none but KEY[@VERSION]/path.
  public var name: [UInt8]?
  /// Seconds after which a read ends with an error; nil for the usual.
  public var readTimeout: UInt64?
}

/// A file of a version that can be read.
public struct ReadableFile {
  /// Bytes in it.
  public var length: UInt64
  /// Reads bytes that there are, one at least, as `Node.read` does: gives what comes to the first function,
  /// each byte once, and calls the second one once at the end, both later. What it returns ends the read;
  /// nothing is called any more then.
  public var read:
    (
      _ bytes: Range<UInt64>, _ deliver: @escaping (UnsafeRawBufferPointer, UInt64) -> Void,
      _ completion: @escaping (ReadFailure?) -> Void
    ) -> () -> Void

  /// A file from its parts.
  public init(
    length: UInt64,
    read:
      @escaping (
        Range<UInt64>, @escaping (UnsafeRawBufferPointer, UInt64) -> Void,
        @escaping (ReadFailure?) -> Void
      ) -> () -> Void
  ) {
    self.length = length
    self.read = read
  }

  /// A file of a torrent of a node.
  public init(of node: Node, _ torrent: TorrentID, file: Int, length: UInt64, timeout: Duration) {
    self.init(length: length) { range, deliver, completion in
      let read = node.read(
        range, of: file, in: torrent, timeout: timeout, deliver: deliver, completion: completion)
      return { node.cancel(read) }
    }
  }
}
