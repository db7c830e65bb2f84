import Metainfo
import Swarm
import SwarmNode
import Wire

/// What is wanted of a member.
extension Member {
  /// A torrent that a session is about: where it is a dataset's, its newest version.
  struct Subject {
    /// The torrent. Asked for again when the metadata came and `folders` threw `NeedsRestart`.
    var request: () -> TorrentRequest
    /// Where its content and block maps are; called when its files are known.
    var folders: (InfoDictionary, PieceLayers) throws -> TorrentFolders
    /// Where people find the content; nil while that is not known.
    var content: () -> [UInt8]?
    /// Keeps piece layers that peers sent.
    var keep: (PieceLayers) -> Void = { _ in }
    /// Which version of a dataset it is; nil while that is not known, and for what is none.
    var version: () -> UInt64? = { nil }
    /// Whether an earlier run had all of it.
    var wasWhole: () -> Bool = { false }
    /// All that was asked for is here.
    var onFinished: () throws -> Void = {}
    /// Looks, on another thread, whether the content is still what was hashed; says what is wrong.
    var recheck: (@Sendable () -> String?)?
    /// The folder of the user's that it was published from; nil where it was not.
    var published: Published?
  }

  /// A folder of the user's, or a file, from which a version was published.
  struct Published {
    let version: UInt64
    let path: [UInt8]
    /// How it differs from the version.
    let changes: FolderChanges
    /// Looks how it does now. On any thread.
    let look: @Sendable () -> FolderChanges
  }

  /// A dataset that a session follows.
  struct Dataset {
    let key: DatasetKey
    var salt: [UInt8] = []
    /// The newest head that is known.
    var head: Head?
    /// Whether it is published on this machine.
    let isOurs: Bool
    /// What to take part in for a newer head; nil for nothing new.
    let version: (Head) throws -> Subject?
    /// The newest head that the state folder has: another process may have published it.
    let watch: () -> Head?
    /// An older version, to be read and nothing else; nil where it is not known what is in it.
    var older: (UInt64) throws -> Subject? = { _ in nil }
    /// What removes old versions, and how many stay besides the newest; nil where none is removed.
    var removal: () -> (VersionRemoval, keeping: Int)? = { nil }
  }

  /// What a command wants of a session.
  struct Plan {
    /// What to begin with; nil where that has to be found first.
    var subject: Subject?
    /// What is followed.
    var dataset: Dataset?
    /// What must be found first, and is then taken part in.
    var search: Search?
    /// Where to look for peers.
    var peers: [PeerAddress]
    /// What is shared besides: nothing is told of it.
    var others: [Other] = []
    /// What to do when the content changes, for the end of a sentence; empty for nothing.
    var changeAdvice = ""
    /// What opens the dataset where it is private: all that the member does goes by it.
    var readKey: ReadKey?
    /// Whether nothing is to be fetched.
    var isSeed: Bool
  }

  /// A torrent that is shared besides.
  struct Other {
    let request: TorrentRequest
    let folders: TorrentFolders
    /// Which version of the dataset it is; nil for what is none.
    var version: UInt64?
    /// What holds it against other processes.
    var holder: DatasetFolder?
    /// The version that it describes, where it has no content.
    var described: UInt64?
  }

  /// A version of a dataset that is looked for on the session's node.
  struct Search {
    let key: DatasetKey
    let versions: VersionSearch
    /// What to take part in when it is found.
    let found: (VersionSearch.Found) throws -> Subject
  }

  /// Thrown by `folders`: begin anew, now that the files are known.
  struct NeedsRestart: Error {}
}
