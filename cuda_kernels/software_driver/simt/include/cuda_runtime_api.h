// What this header declares is in simt.h, which stands before every text.
#pragma once
