/// Bounds on what one torrent's content keeps in memory and does at once, each with its reason.
struct ContentLimits: Hashable, Sendable {
  /// Blocks in a hash job: 1 MiB takes a thread about 0.3 ms, so that no verdict waits long, and all
  /// lanes of the hash are filled four times.
  var blocksPerJob = 64
  /// Bytes of payload that wait in memory for a verdict, because hashes or blocks of the same piece
  /// are missing; beyond them blocks go to disk as claims. Enough for a piece of 16 MiB.
  var waitingBytes = 16 << 20
  /// Bytes being read back at once, to examine claims or to hash pieces: a disk is kept busy by less,
  /// and the pool of buffers serves peers too.
  var readBackBytes = 8 << 20
  /// Buffers of the pool that reading back leaves free for those who wait for a block.
  var poolReserve = 32
  /// Pieces hashed from disk at once to answer peers' questions.
  var answerPieces = 4
  /// Bytes of the pieces that have to be hashed for one answer: larger ones are refused, else
  /// 53 bytes from a peer cost minutes of disk.
  var answerBytes: UInt64 = 64 << 20
  /// Questions of peers that wait for pieces to be hashed; more are refused.
  var answers = 256
  /// Bytes of hash trees kept below the pieces' own hashes, those of 8 GiB of content: of pieces that
  /// are here they can be hashed again, of others they are asked for again.
  var leafBytes = 32 << 20
  /// Bytes of verified blocks that wait for room on a full disk, and are read from memory meanwhile;
  /// what comes beyond is given to who waits for it, and dropped.
  var heldWhenFull = 4 << 20
  /// Pieces whose failed first try is remembered to find out later who lied: a few at a time are
  /// normal; more than this is an attack, and costs 48 bytes a block.
  var suspectPieces = 64
  /// How long claims in the user's folder wait after the disk failed: they cannot be fetched instead,
  /// and a bad sector is to be told now and then, not all the time.
  var examinationPause = Duration.seconds(30)
  /// Failed tries of one piece that are remembered.
  var suspectTries = 4
  /// Pieces judged at once whose blocks are on disk: they are read one after the other, and each
  /// keeps what was read of it.
  var judgedPieces = 4
}
