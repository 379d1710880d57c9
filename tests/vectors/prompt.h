/* Written by oracle/prompt_vectors.py with Hugging Face's CLIPTokenizer and numpy; do not edit. */
typedef struct { const char *text; int n_bytes; double weight; } piece_vector; /* n_bytes -1: a break */
typedef struct { int n_chunks; const int *length; const unsigned short *ids; const float *weight; } chunk_vector; /* tokens of each chunk, one chunk behind the other */
typedef struct { const char *text; int n_bytes, n_webui, n_comfy; const piece_vector *webui, *comfy; chunk_vector chunks[2]; } prompt_vector;
static const piece_vector webui_0[] = {{"", 0, 1.0}};
static const int webui_length_0[] = {0};
static const unsigned short webui_ids_0[] = {0};
static const float webui_weight_0[] = {0};
static const piece_vector comfy_0[] = {{"", 0, 1.0}};
static const int comfy_length_0[] = {0};
static const unsigned short comfy_ids_0[] = {0};
static const float comfy_weight_0[] = {0};
static const piece_vector webui_1[] = {{"a house", 7, 1.0}};
static const int webui_length_1[] = {2};
static const unsigned short webui_ids_1[] = {320,1212};
static const float webui_weight_1[] = {1,1};
static const piece_vector comfy_1[] = {{"a house", 7, 1.0}};
static const int comfy_length_1[] = {2};
static const unsigned short comfy_ids_1[] = {320,1212};
static const float comfy_weight_1[] = {1,1};
static const piece_vector webui_2[] = {{"an ", 3, 1.0}, {"important", 9, 1.1}, {" word", 5, 1.0}};
static const int webui_length_2[] = {3};
static const unsigned short webui_ids_2[] = {550,2829,2653};
static const float webui_weight_2[] = {1,1.1f,1};
static const piece_vector comfy_2[] = {{"an ", 3, 1.0}, {"important", 9, 1.1}, {" word", 5, 1.0}};
static const int comfy_length_2[] = {3};
static const unsigned short comfy_ids_2[] = {550,2829,2653};
static const float comfy_weight_2[] = {1,1.1f,1};
static const piece_vector webui_3[] = {{"unbalanced", 10, 1.1}};
static const int webui_length_3[] = {3};
static const unsigned short webui_ids_3[] = {569,1398,5071};
static const float webui_weight_3[] = {1.1f,1.1f,1.1f};
static const piece_vector comfy_3[] = {{"(unbalanced", 11, 1.0}};
static const int comfy_length_3[] = {4};
static const unsigned short comfy_ids_3[] = {263,569,1398,5071};
static const float comfy_weight_3[] = {1,1,1,1};
static const piece_vector webui_4[] = {{"unbalanced)", 11, 1.0}};
static const int webui_length_4[] = {4};
static const unsigned short webui_ids_4[] = {569,1398,5071,264};
static const float webui_weight_4[] = {1,1,1,1};
static const piece_vector comfy_4[] = {{"unbalanced)", 11, 1.0}};
static const int comfy_length_4[] = {4};
static const unsigned short comfy_ids_4[] = {569,1398,5071,264};
static const float comfy_weight_4[] = {1,1,1,1};
static const piece_vector webui_5[] = {{"a", 1, 1.2100000000000002}};
static const int webui_length_5[] = {1};
static const unsigned short webui_ids_5[] = {320};
static const float webui_weight_5[] = {1.21f};
static const piece_vector comfy_5[] = {{"(a", 2, 1.1}};
static const int comfy_length_5[] = {2};
static const unsigned short comfy_ids_5[] = {263,320};
static const float comfy_weight_5[] = {1.1f,1.1f};
static const piece_vector webui_6[] = {{"a", 1, 1.1}, {")", 1, 1.0}, {"b", 1, 1.1}};
static const int webui_length_6[] = {3};
static const unsigned short webui_ids_6[] = {320,264,321};
static const float webui_weight_6[] = {1.1f,1,1.1f};
static const piece_vector comfy_6[] = {{"a", 1, 1.1}, {")(b)", 4, 1.0}};
static const int comfy_length_6[] = {5};
static const unsigned short comfy_ids_6[] = {320,8,263,321,264};
static const float comfy_weight_6[] = {1.1f,1,1,1,1};
static const piece_vector webui_7[] = {{"less", 4, 0.9090909090909091}, {" ", 1, 1.0}, {"more", 4, 1.1}};
static const int webui_length_7[] = {2};
static const unsigned short webui_ids_7[] = {1285,750};
static const float webui_weight_7[] = {0.90909094f,1.1f};
static const piece_vector comfy_7[] = {{"[less] ", 7, 1.0}, {"more", 4, 1.1}};
static const int comfy_length_7[] = {4};
static const unsigned short comfy_ids_7[] = {314,1285,316,750};
static const float comfy_weight_7[] = {1,1,1,1.1f};
static const piece_vector webui_8[] = {{"a", 1, 1.5}};
static const int webui_length_8[] = {1};
static const unsigned short webui_ids_8[] = {320};
static const float webui_weight_8[] = {1.5f};
static const piece_vector comfy_8[] = {{"a", 1, 1.5}};
static const int comfy_length_8[] = {1};
static const unsigned short comfy_ids_8[] = {320};
static const float comfy_weight_8[] = {1.5f};
static const piece_vector webui_9[] = {{"a ", 2, 1.5}};
static const int webui_length_9[] = {1};
static const unsigned short webui_ids_9[] = {320};
static const float webui_weight_9[] = {1.5f};
static const piece_vector comfy_9[] = {{"a ", 2, 1.5}};
static const int comfy_length_9[] = {1};
static const unsigned short comfy_ids_9[] = {320};
static const float comfy_weight_9[] = {1.5f};
static const piece_vector webui_10[] = {{"a", 1, 1.5}};
static const int webui_length_10[] = {1};
static const unsigned short webui_ids_10[] = {320};
static const float webui_weight_10[] = {1.5f};
static const piece_vector comfy_10[] = {{"a", 1, 1.5}};
static const int comfy_length_10[] = {1};
static const unsigned short comfy_ids_10[] = {320};
static const float comfy_weight_10[] = {1.5f};
static const piece_vector webui_11[] = {{"a:1.5", 5, 1.1}};
static const int webui_length_11[] = {5};
static const unsigned short webui_ids_11[] = {320,281,272,269,276};
static const float webui_weight_11[] = {1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_11[] = {{"(a:1.5", 6, 1.0}};
static const int comfy_length_11[] = {6};
static const unsigned short comfy_ids_11[] = {263,320,281,272,269,276};
static const float comfy_weight_11[] = {1,1,1,1,1,1};
static const piece_vector webui_12[] = {{"a:1.5)", 6, 1.0}};
static const int webui_length_12[] = {6};
static const unsigned short webui_ids_12[] = {320,281,272,269,276,264};
static const float webui_weight_12[] = {1,1,1,1,1,1};
static const piece_vector comfy_12[] = {{"a:1.5)", 6, 1.0}};
static const int comfy_length_12[] = {6};
static const unsigned short comfy_ids_12[] = {320,281,272,269,276,264};
static const float comfy_weight_12[] = {1,1,1,1,1,1};
static const piece_vector webui_13[] = {{"a:b", 3, 1.2}};
static const int webui_length_13[] = {3};
static const unsigned short webui_ids_13[] = {320,281,321};
static const float webui_weight_13[] = {1.2f,1.2f,1.2f};
static const piece_vector comfy_13[] = {{"a:b", 3, 1.2}};
static const int comfy_length_13[] = {3};
static const unsigned short comfy_ids_13[] = {320,281,321};
static const float comfy_weight_13[] = {1.2f,1.2f,1.2f};
static const piece_vector webui_14[] = {{"", 0, 1.0}};
static const int webui_length_14[] = {0};
static const unsigned short webui_ids_14[] = {0};
static const float webui_weight_14[] = {0};
static const piece_vector comfy_14[] = {{":1.2", 4, 1.1}};
static const int comfy_length_14[] = {4};
static const unsigned short comfy_ids_14[] = {281,272,269,273};
static const float comfy_weight_14[] = {1.1f,1.1f,1.1f,1.1f};
static const piece_vector webui_15[] = {{"a:", 2, 1.1}};
static const int webui_length_15[] = {2};
static const unsigned short webui_ids_15[] = {320,281};
static const float webui_weight_15[] = {1.1f,1.1f};
static const piece_vector comfy_15[] = {{"a:", 2, 1.1}};
static const int comfy_length_15[] = {2};
static const unsigned short comfy_ids_15[] = {320,281};
static const float comfy_weight_15[] = {1.1f,1.1f};
static const piece_vector webui_16[] = {{"a:1e1", 5, 1.1}};
static const int webui_length_16[] = {5};
static const unsigned short webui_ids_16[] = {320,281,272,324,272};
static const float webui_weight_16[] = {1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_16[] = {{"a", 1, 10.0}};
static const int comfy_length_16[] = {1};
static const unsigned short comfy_ids_16[] = {320};
static const float comfy_weight_16[] = {10};
static const piece_vector webui_17[] = {{"a:1.2.3", 7, 1.1}};
static const int webui_length_17[] = {7};
static const unsigned short webui_ids_17[] = {320,281,272,269,273,269,274};
static const float webui_weight_17[] = {1.1f,1.1f,1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_17[] = {{"a:1.2.3", 7, 1.1}};
static const int comfy_length_17[] = {7};
static const unsigned short comfy_ids_17[] = {320,281,272,269,273,269,274};
static const float comfy_weight_17[] = {1.1f,1.1f,1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector webui_18[] = {{"a", 1, -0.5}, {" b", 2, 1.0}};
static const int webui_length_18[] = {2};
static const unsigned short webui_ids_18[] = {320,321};
static const float webui_weight_18[] = {-0.5f,1};
static const piece_vector comfy_18[] = {{"a", 1, -0.5}, {" b", 2, 1.0}};
static const int comfy_length_18[] = {2};
static const unsigned short comfy_ids_18[] = {320,321};
static const float comfy_weight_18[] = {-0.5f,1};
static const piece_vector webui_19[] = {{"a", 1, 0.5}};
static const int webui_length_19[] = {1};
static const unsigned short webui_ids_19[] = {320};
static const float webui_weight_19[] = {0.5f};
static const piece_vector comfy_19[] = {{"a", 1, 0.5}};
static const int comfy_length_19[] = {1};
static const unsigned short comfy_ids_19[] = {320};
static const float comfy_weight_19[] = {0.5f};
static const piece_vector webui_20[] = {{"a", 1, 2.0}};
static const int webui_length_20[] = {1};
static const unsigned short webui_ids_20[] = {320};
static const float webui_weight_20[] = {2};
static const piece_vector comfy_20[] = {{"a", 1, 2.0}};
static const int comfy_length_20[] = {1};
static const unsigned short comfy_ids_20[] = {320};
static const float comfy_weight_20[] = {2};
static const piece_vector webui_21[] = {{"a:1_0", 5, 1.1}};
static const int webui_length_21[] = {5};
static const unsigned short webui_ids_21[] = {320,281,272,318,271};
static const float webui_weight_21[] = {1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_21[] = {{"a:1_0", 5, 1.1}};
static const int comfy_length_21[] = {5};
static const unsigned short comfy_ids_21[] = {320,281,272,318,271};
static const float comfy_weight_21[] = {1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector webui_22[] = {{"a:nan", 5, 1.1}};
static const int webui_length_22[] = {3};
static const unsigned short webui_ids_22[] = {320,281,7750};
static const float webui_weight_22[] = {1.1f,1.1f,1.1f};
static const piece_vector comfy_22[] = {{"a:nan", 5, 1.1}};
static const int comfy_length_22[] = {3};
static const unsigned short comfy_ids_22[] = {320,281,7750};
static const float comfy_weight_22[] = {1.1f,1.1f,1.1f};
static const piece_vector webui_23[] = {{"a:inf", 5, 1.1}};
static const int webui_length_23[] = {4};
static const unsigned short webui_ids_23[] = {320,281,512,325};
static const float webui_weight_23[] = {1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_23[] = {{"a:inf", 5, 1.1}};
static const int comfy_length_23[] = {4};
static const unsigned short comfy_ids_23[] = {320,281,512,325};
static const float comfy_weight_23[] = {1.1f,1.1f,1.1f,1.1f};
static const piece_vector webui_24[] = {{"a", 1, 0.0}};
static const int webui_length_24[] = {1};
static const unsigned short webui_ids_24[] = {320};
static const float webui_weight_24[] = {0};
static const piece_vector comfy_24[] = {{"a", 1, 0.0}};
static const int comfy_length_24[] = {1};
static const unsigned short comfy_ids_24[] = {320};
static const float comfy_weight_24[] = {0};
static const piece_vector webui_25[] = {{"older", 5, 1.1}};
static const int webui_length_25[] = {1};
static const unsigned short webui_ids_25[] = {7700};
static const float webui_weight_25[] = {1.1f};
static const piece_vector comfy_25[] = {{"old", 3, 1.1}, {"er", 2, 1.1}};
static const int comfy_length_25[] = {2};
static const unsigned short comfy_ids_25[] = {896,528};
static const float comfy_weight_25[] = {1.1f,1.1f};
static const piece_vector webui_26[] = {{"a ", 2, 1.0}, {"house", 5, 1.5730000000000004}, {" ", 1, 1.1}, {"on", 2, 1.0}, {" a ", 3, 1.1}, {"hill", 4, 0.55}, {", sun, ", 7, 1.1}, {"sky", 3, 1.4641000000000006}, {".", 1, 1.1}};
static const int webui_length_26[] = {10};
static const unsigned short webui_ids_26[] = {320,1212,525,320,2682,267,2176,267,2390,269};
static const float webui_weight_26[] = {1,1.573f,1,1.1f,0.55f,1.1f,1.1f,1.1f,1.4641f,1.1f};
static const piece_vector comfy_26[] = {{"a ", 2, 1.0}, {"(((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", 49, 1.0}};
static const int comfy_length_26[] = {30};
static const unsigned short comfy_ids_26[] = {320,7,7,263,1212,281,272,269,274,5167,314,525,316,320,263,2682,281,271,269,276,2361,2176,267,7,7,263,2390,8,8,1818};
static const float comfy_weight_26[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_27[] = {{"a ", 2, 1.1}, {"b", 1, 1.4300000000000002}, {" c", 2, 1.1}};
static const int webui_length_27[] = {3};
static const unsigned short webui_ids_27[] = {320,321,322};
static const float webui_weight_27[] = {1.1f,1.43f,1.1f};
static const piece_vector comfy_27[] = {{"a ", 2, 1.1}, {"b", 1, 1.3}, {" c", 2, 1.1}};
static const int comfy_length_27[] = {3};
static const unsigned short comfy_ids_27[] = {320,321,322};
static const float comfy_weight_27[] = {1.1f,1.3f,1.1f};
static const piece_vector webui_28[] = {{"a", 1, 1.0}};
static const int webui_length_28[] = {1};
static const unsigned short webui_ids_28[] = {320};
static const float webui_weight_28[] = {1};
static const piece_vector comfy_28[] = {{"[a]", 3, 1.1}};
static const int comfy_length_28[] = {3};
static const unsigned short comfy_ids_28[] = {314,320,316};
static const float comfy_weight_28[] = {1.1f,1.1f,1.1f};
static const piece_vector webui_29[] = {{"a", 1, 1.0}};
static const int webui_length_29[] = {1};
static const unsigned short webui_ids_29[] = {320};
static const float webui_weight_29[] = {1};
static const piece_vector comfy_29[] = {{"[", 1, 1.0}, {"a]", 2, 1.1}};
static const int comfy_length_29[] = {3};
static const unsigned short comfy_ids_29[] = {314,320,316};
static const float comfy_weight_29[] = {1,1.1f,1.1f};
static const piece_vector webui_30[] = {{"a", 1, 1.0}};
static const int webui_length_30[] = {1};
static const unsigned short webui_ids_30[] = {320};
static const float webui_weight_30[] = {1};
static const piece_vector comfy_30[] = {{"[a", 2, 1.1}, {"]", 1, 1.0}};
static const int comfy_length_30[] = {3};
static const unsigned short comfy_ids_30[] = {314,320,316};
static const float comfy_weight_30[] = {1.1f,1.1f,1};
static const piece_vector webui_31[] = {{"a ", 2, 1.1}, {"b", 1, 1.0}, {" c", 2, 0.9090909090909091}};
static const int webui_length_31[] = {3};
static const unsigned short webui_ids_31[] = {320,321,322};
static const float webui_weight_31[] = {1.1f,1,0.90909094f};
static const piece_vector comfy_31[] = {{"a [b", 4, 1.1}, {" c]", 3, 1.0}};
static const int comfy_length_31[] = {5};
static const unsigned short comfy_ids_31[] = {320,314,321,322,316};
static const float comfy_weight_31[] = {1.1f,1.1f,1.1f,1,1};
static const piece_vector webui_32[] = {{"a", 1, 0.96}, {" b", 2, 0.8}};
static const int webui_length_32[] = {2};
static const unsigned short webui_ids_32[] = {320,321};
static const float webui_weight_32[] = {0.96f,0.8f};
static const piece_vector comfy_32[] = {{"a", 1, 1.2}, {" b", 2, 0.8}};
static const int comfy_length_32[] = {2};
static const unsigned short comfy_ids_32[] = {320,321};
static const float comfy_weight_32[] = {1.2f,0.8f};
static const piece_vector webui_33[] = {{"(literal)", 9, 1.0}};
static const int webui_length_33[] = {4};
static const unsigned short webui_ids_33[] = {263,3085,566,264};
static const float webui_weight_33[] = {1,1,1,1};
static const piece_vector comfy_33[] = {{"(literal)", 9, 1.0}};
static const int comfy_length_33[] = {4};
static const unsigned short comfy_ids_33[] = {263,3085,566,264};
static const float comfy_weight_33[] = {1,1,1,1};
static const piece_vector webui_34[] = {{"[x]", 3, 1.0}};
static const int webui_length_34[] = {3};
static const unsigned short webui_ids_34[] = {314,343,316};
static const float webui_weight_34[] = {1,1,1};
static const piece_vector comfy_34[] = {{"\134[x\134]", 5, 1.0}};
static const int comfy_length_34[] = {5};
static const unsigned short comfy_ids_34[] = {59,314,343,59,316};
static const float comfy_weight_34[] = {1,1,1,1,1};
static const piece_vector webui_35[] = {{"back\134slash", 10, 1.0}};
static const int webui_length_35[] = {4};
static const unsigned short webui_ids_35[] = {893,315,2725,849};
static const float webui_weight_35[] = {1,1,1,1};
static const piece_vector comfy_35[] = {{"back\134\134slash", 11, 1.0}};
static const int comfy_length_35[] = {5};
static const unsigned short comfy_ids_35[] = {893,59,315,2725,849};
static const float comfy_weight_35[] = {1,1,1,1,1};
static const piece_vector webui_36[] = {{"lone back", 9, 1.0}};
static const int webui_length_36[] = {3};
static const unsigned short webui_ids_36[] = {75,637,893};
static const float webui_weight_36[] = {1,1,1};
static const piece_vector comfy_36[] = {{"lone\134 back", 10, 1.0}};
static const int comfy_length_36[] = {4};
static const unsigned short comfy_ids_36[] = {75,637,315,893};
static const float comfy_weight_36[] = {1,1,1,1};
static const piece_vector webui_37[] = {{"end", 3, 1.0}};
static const int webui_length_37[] = {1};
static const unsigned short webui_ids_37[] = {806};
static const float webui_weight_37[] = {1};
static const piece_vector comfy_37[] = {{"end\134", 4, 1.0}};
static const int comfy_length_37[] = {2};
static const unsigned short comfy_ids_37[] = {806,315};
static const float comfy_weight_37[] = {1,1};
static const piece_vector webui_38[] = {{"\134", 1, 1.0}, {"x", 1, 1.1}};
static const int webui_length_38[] = {2};
static const unsigned short webui_ids_38[] = {315,343};
static const float webui_weight_38[] = {1,1.1f};
static const piece_vector comfy_38[] = {{"\134(x)", 4, 1.0}};
static const int comfy_length_38[] = {4};
static const unsigned short comfy_ids_38[] = {59,263,343,264};
static const float comfy_weight_38[] = {1,1,1,1};
static const piece_vector webui_39[] = {{"a)b", 3, 1.1}};
static const int webui_length_39[] = {3};
static const unsigned short webui_ids_39[] = {320,264,321};
static const float webui_weight_39[] = {1.1f,1.1f,1.1f};
static const piece_vector comfy_39[] = {{"a)b", 3, 1.1}};
static const int comfy_length_39[] = {3};
static const unsigned short comfy_ids_39[] = {320,264,321};
static const float comfy_weight_39[] = {1.1f,1.1f,1.1f};
static const piece_vector webui_40[] = {{"a(b", 3, 1.2}};
static const int webui_length_40[] = {3};
static const unsigned short webui_ids_40[] = {320,263,321};
static const float webui_weight_40[] = {1.2f,1.2f,1.2f};
static const piece_vector comfy_40[] = {{"a(b", 3, 1.2}};
static const int comfy_length_40[] = {3};
static const unsigned short comfy_ids_40[] = {320,263,321};
static const float comfy_weight_40[] = {1.2f,1.2f,1.2f};
static const piece_vector webui_41[] = {{"one ", 4, 1.0}, {"", -1, 1.0}, {" two", 4, 1.0}};
static const int webui_length_41[] = {1,1};
static const unsigned short webui_ids_41[] = {637,1237};
static const float webui_weight_41[] = {1,1};
static const piece_vector comfy_41[] = {{"one BREAK two", 13, 1.0}};
static const int comfy_length_41[] = {3};
static const unsigned short comfy_ids_41[] = {637,2568,1237};
static const float comfy_weight_41[] = {1,1,1};
static const piece_vector webui_42[] = {{"", 0, 1.0}, {"", -1, 1.0}, {"", 0, 1.0}};
static const int webui_length_42[] = {0};
static const unsigned short webui_ids_42[] = {0};
static const float webui_weight_42[] = {0};
static const piece_vector comfy_42[] = {{"BREAK", 5, 1.0}};
static const int comfy_length_42[] = {1};
static const unsigned short comfy_ids_42[] = {2568};
static const float comfy_weight_42[] = {1};
static const piece_vector webui_43[] = {{"", 0, 1.0}, {"", -1, 1.0}, {" ", 1, 1.0}, {"", -1, 1.0}, {"", 0, 1.0}};
static const int webui_length_43[] = {0,0};
static const unsigned short webui_ids_43[] = {0};
static const float webui_weight_43[] = {0};
static const piece_vector comfy_43[] = {{"BREAK BREAK", 11, 1.0}};
static const int comfy_length_43[] = {2};
static const unsigned short comfy_ids_43[] = {2568,2568};
static const float comfy_weight_43[] = {1,1};
static const piece_vector webui_44[] = {{"one ", 4, 1.0}, {"", -1, 1.0}, {"", 0, 1.0}};
static const int webui_length_44[] = {1};
static const unsigned short webui_ids_44[] = {637};
static const float webui_weight_44[] = {1};
static const piece_vector comfy_44[] = {{"one BREAK", 9, 1.0}};
static const int comfy_length_44[] = {2};
static const unsigned short comfy_ids_44[] = {637,2568};
static const float comfy_weight_44[] = {1,1};
static const piece_vector webui_45[] = {{"oneBREAK two", 12, 1.0}};
static const int webui_length_45[] = {3};
static const unsigned short webui_ids_45[] = {1980,2568,1237};
static const float webui_weight_45[] = {1,1,1};
static const piece_vector comfy_45[] = {{"oneBREAK two", 12, 1.0}};
static const int comfy_length_45[] = {3};
static const unsigned short comfy_ids_45[] = {1980,2568,1237};
static const float comfy_weight_45[] = {1,1,1};
static const piece_vector webui_46[] = {{"BREAKS", 6, 1.0}};
static const int webui_length_46[] = {1};
static const unsigned short webui_ids_46[] = {7263};
static const float webui_weight_46[] = {1};
static const piece_vector comfy_46[] = {{"BREAKS", 6, 1.0}};
static const int comfy_length_46[] = {1};
static const unsigned short comfy_ids_46[] = {7263};
static const float comfy_weight_46[] = {1};
static const piece_vector webui_47[] = {{"_BREAK_", 7, 1.0}};
static const int webui_length_47[] = {3};
static const unsigned short webui_ids_47[] = {318,2568,318};
static const float webui_weight_47[] = {1,1,1};
static const piece_vector comfy_47[] = {{"_BREAK_", 7, 1.0}};
static const int comfy_length_47[] = {3};
static const unsigned short comfy_ids_47[] = {318,2568,318};
static const float comfy_weight_47[] = {1,1,1};
static const piece_vector webui_48[] = {{"\303\251BREAK \303\251", 10, 1.0}};
static const int webui_length_48[] = {3};
static const unsigned short webui_ids_48[] = {3459,2568,4166};
static const float webui_weight_48[] = {1,1,1};
static const piece_vector comfy_48[] = {{"\303\251BREAK \303\251", 10, 1.0}};
static const int comfy_length_48[] = {3};
static const unsigned short comfy_ids_48[] = {3459,2568,4166};
static const float comfy_weight_48[] = {1,1,1};
static const piece_vector webui_49[] = {{"a,", 2, 1.0}, {"", -1, 1.0}, {",b", 2, 1.0}};
static const int webui_length_49[] = {2,2};
static const unsigned short webui_ids_49[] = {320,267,267,321};
static const float webui_weight_49[] = {1,1,1,1};
static const piece_vector comfy_49[] = {{"a,BREAK,b", 9, 1.0}};
static const int comfy_length_49[] = {5};
static const unsigned short comfy_ids_49[] = {320,267,2568,267,321};
static const float comfy_weight_49[] = {1,1,1,1,1};
static const piece_vector webui_50[] = {{"one ", 4, 1.1}, {"", -1, 1.0}, {" two", 4, 1.1}};
static const int webui_length_50[] = {1,1};
static const unsigned short webui_ids_50[] = {637,1237};
static const float webui_weight_50[] = {1.1f,1.1f};
static const piece_vector comfy_50[] = {{"one BREAK two", 13, 1.1}};
static const int comfy_length_50[] = {3};
static const unsigned short comfy_ids_50[] = {637,2568,1237};
static const float comfy_weight_50[] = {1.1f,1.1f,1.1f};
static const piece_vector webui_51[] = {{"na\303\257ve ", 7, 1.0}, {"caf\303\251", 5, 1.1}, {" \346\227\245\346\234\254 ", 8, 1.0}, {"\360\237\230\200", 4, 2.0}};
static const int webui_length_51[] = {13};
static const unsigned short webui_ids_51[] = {1097,127,107,563,3471,4166,162,245,98,162,250,361,7334};
static const float webui_weight_51[] = {1,1,1,1,1.1f,1.1f,1,1,1,1,1,1,2};
static const piece_vector comfy_51[] = {{"na\303\257ve ", 7, 1.0}, {"caf\303\251", 5, 1.1}, {" \346\227\245\346\234\254 ", 8, 1.0}, {"\360\237\230\200", 4, 2.0}};
static const int comfy_length_51[] = {13};
static const unsigned short comfy_ids_51[] = {1097,127,107,563,3471,4166,162,245,98,162,250,361,7334};
static const float comfy_weight_51[] = {1,1,1,1,1.1f,1.1f,1,1,1,1,1,1,2};
static const piece_vector webui_52[] = {{"line\012break ", 11, 1.0}, {"two\012lines", 9, 1.3}};
static const int webui_length_52[] = {4};
static const unsigned short webui_ids_52[] = {1148,2568,1237,3418};
static const float webui_weight_52[] = {1,1,1.3f,1.3f};
static const piece_vector comfy_52[] = {{"line\012break ", 11, 1.0}, {"two\012lines", 9, 1.3}};
static const int comfy_length_52[] = {4};
static const unsigned short comfy_ids_52[] = {1148,2568,1237,3418};
static const float comfy_weight_52[] = {1,1,1.3f,1.3f};
static const piece_vector webui_53[] = {{"deep", 4, 2.1435888100000016}};
static const int webui_length_53[] = {1};
static const unsigned short webui_ids_53[] = {3383};
static const float webui_weight_53[] = {2.1435888f};
static const piece_vector comfy_53[] = {{"deep", 4, 2.1435888100000016}};
static const int comfy_length_53[] = {1};
static const unsigned short comfy_ids_53[] = {3383};
static const float comfy_weight_53[] = {2.1435888f};
static const piece_vector webui_54[] = {{"a:b", 3, 1.0}};
static const int webui_length_54[] = {3};
static const unsigned short webui_ids_54[] = {320,281,321};
static const float webui_weight_54[] = {1,1,1};
static const piece_vector comfy_54[] = {{"a:b", 3, 1.0}};
static const int comfy_length_54[] = {3};
static const unsigned short comfy_ids_54[] = {320,281,321};
static const float comfy_weight_54[] = {1,1,1};
static const piece_vector webui_55[] = {{"a : b", 5, 1.0}};
static const int webui_length_55[] = {3};
static const unsigned short webui_ids_55[] = {320,281,321};
static const float webui_weight_55[] = {1,1,1};
static const piece_vector comfy_55[] = {{"a : b", 5, 1.0}};
static const int comfy_length_55[] = {3};
static const unsigned short comfy_ids_55[] = {320,281,321};
static const float comfy_weight_55[] = {1,1,1};
static const piece_vector webui_56[] = {{"", 0, 1.0}};
static const int webui_length_56[] = {0};
static const unsigned short webui_ids_56[] = {0};
static const float webui_weight_56[] = {0};
static const piece_vector comfy_56[] = {{"[", 1, 1.0}};
static const int comfy_length_56[] = {1};
static const unsigned short comfy_ids_56[] = {314};
static const float comfy_weight_56[] = {1};
static const piece_vector webui_57[] = {{"]", 1, 1.0}};
static const int webui_length_57[] = {1};
static const unsigned short webui_ids_57[] = {316};
static const float webui_weight_57[] = {1};
static const piece_vector comfy_57[] = {{"]", 1, 1.0}};
static const int comfy_length_57[] = {1};
static const unsigned short comfy_ids_57[] = {316};
static const float comfy_weight_57[] = {1};
static const piece_vector webui_58[] = {{")", 1, 1.0}};
static const int webui_length_58[] = {1};
static const unsigned short webui_ids_58[] = {264};
static const float webui_weight_58[] = {1};
static const piece_vector comfy_58[] = {{")", 1, 1.0}};
static const int comfy_length_58[] = {1};
static const unsigned short comfy_ids_58[] = {264};
static const float comfy_weight_58[] = {1};
static const piece_vector webui_59[] = {{":", 1, 1.0}};
static const int webui_length_59[] = {1};
static const unsigned short webui_ids_59[] = {281};
static const float webui_weight_59[] = {1};
static const piece_vector comfy_59[] = {{":", 1, 1.0}};
static const int comfy_length_59[] = {1};
static const unsigned short comfy_ids_59[] = {281};
static const float comfy_weight_59[] = {1};
static const piece_vector webui_60[] = {{"", 0, 1.0}};
static const int webui_length_60[] = {0};
static const unsigned short webui_ids_60[] = {0};
static const float webui_weight_60[] = {0};
static const piece_vector comfy_60[] = {{"", 0, 1.0}};
static const int comfy_length_60[] = {0};
static const unsigned short comfy_ids_60[] = {0};
static const float comfy_weight_60[] = {0};
static const piece_vector webui_61[] = {{"", 0, 1.0}};
static const int webui_length_61[] = {0};
static const unsigned short webui_ids_61[] = {0};
static const float webui_weight_61[] = {0};
static const piece_vector comfy_61[] = {{"[]", 2, 1.0}};
static const int comfy_length_61[] = {2};
static const unsigned short comfy_ids_61[] = {58,316};
static const float comfy_weight_61[] = {1,1};
static const piece_vector webui_62[] = {{"", 0, 1.0}};
static const int webui_length_62[] = {0};
static const unsigned short webui_ids_62[] = {0};
static const float webui_weight_62[] = {0};
static const piece_vector comfy_62[] = {{"", 0, 1.0}};
static const int comfy_length_62[] = {0};
static const unsigned short comfy_ids_62[] = {0};
static const float comfy_weight_62[] = {0};
static const piece_vector webui_63[] = {{" ", 1, 1.1}};
static const int webui_length_63[] = {0};
static const unsigned short webui_ids_63[] = {0};
static const float webui_weight_63[] = {0};
static const piece_vector comfy_63[] = {{" ", 1, 1.1}};
static const int comfy_length_63[] = {0};
static const unsigned short comfy_ids_63[] = {0};
static const float comfy_weight_63[] = {0};
static const piece_vector webui_64[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 375, 1.0}};
static const int webui_length_64[] = {75};
static const unsigned short webui_ids_64[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653};
static const float webui_weight_64[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_64[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 375, 1.0}};
static const int comfy_length_64[] = {75};
static const unsigned short comfy_ids_64[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653};
static const float comfy_weight_64[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_65[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 380, 1.0}};
static const int webui_length_65[] = {75,1};
static const unsigned short webui_ids_65[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653};
static const float webui_weight_65[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_65[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 380, 1.0}};
static const int comfy_length_65[] = {75,1};
static const unsigned short comfy_ids_65[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653};
static const float comfy_weight_65[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_66[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , after", 377, 1.0}};
static const int webui_length_66[] = {75,1};
static const unsigned short webui_ids_66[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,953};
static const float webui_weight_66[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_66[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , after", 377, 1.0}};
static const int comfy_length_66[] = {75,1};
static const unsigned short comfy_ids_66[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,953};
static const float comfy_weight_66[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_67[] = {{"word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, ", 240, 1.0}};
static const int webui_length_67[] = {75,5};
static const unsigned short webui_ids_67[] = {2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267};
static const float webui_weight_67[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_67[] = {{"word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, ", 240, 1.0}};
static const int comfy_length_67[] = {75,5};
static const unsigned short comfy_ids_67[] = {2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267};
static const float comfy_weight_67[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_68[] = {{"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z ", 208, 1.0}};
static const int webui_length_68[] = {75,29};
static const unsigned short webui_ids_68[] = {320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345};
static const float webui_weight_68[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_68[] = {{"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z ", 208, 1.0}};
static const int comfy_length_68[] = {75,29};
static const unsigned short comfy_ids_68[] = {320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345,320,321,322,323,324,325,326,327,328,329,330,331,332,333,334,335,336,337,338,339,340,341,342,343,344,345};
static const float comfy_weight_68[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_69[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 452, 1.0}};
static const int webui_length_69[] = {61,30};
static const unsigned short webui_ids_69[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float webui_weight_69[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_69[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 452, 1.0}};
static const int comfy_length_69[] = {75,16};
static const unsigned short comfy_ids_69[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float comfy_weight_69[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_70[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 402, 1.0}};
static const int webui_length_70[] = {75,6};
static const unsigned short webui_ids_70[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float webui_weight_70[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_70[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 402, 1.0}};
static const int comfy_length_70[] = {75,6};
static const unsigned short comfy_ids_70[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float comfy_weight_70[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_71[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 350, 1.0}, {"seven small words that stay together", 36, 1.2}};
static const int webui_length_71[] = {75,1};
static const unsigned short webui_ids_71[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,5757,2442,2709,682,2277,1952};
static const float webui_weight_71[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f};
static const piece_vector comfy_71[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 350, 1.0}, {"seven small words that stay together", 36, 1.2}};
static const int comfy_length_71[] = {70,6};
static const unsigned short comfy_ids_71[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,5757,2442,2709,682,2277,1952};
static const float comfy_weight_71[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f};
static const piece_vector webui_72[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 350, 1.0}, {"eight words and more that are parted in two", 43, 1.2}, {" end", 4, 1.0}};
static const int webui_length_72[] = {75,6};
static const unsigned short webui_ids_72[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,7910,2709,537,750,682,631,699,775,530,1237,806};
static const float webui_weight_72[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1};
static const piece_vector comfy_72[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 350, 1.0}, {"eight words and more that are parted in two", 43, 1.2}, {" end", 4, 1.0}};
static const int comfy_length_72[] = {75,6};
static const unsigned short comfy_ids_72[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,7910,2709,537,750,682,631,699,775,530,1237,806};
static const float comfy_weight_72[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1.2f,1};
static const piece_vector webui_73[] = {{"x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x ", 400, 1.0}};
static const int webui_length_73[] = {75,75,50};
static const unsigned short webui_ids_73[] = {343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343};
static const float webui_weight_73[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_73[] = {{"x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x ", 400, 1.0}};
static const int comfy_length_73[] = {75,75,50};
static const unsigned short comfy_ids_73[] = {343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343,343};
static const float comfy_weight_73[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_74[] = {{"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}};
static const int webui_length_74[] = {60};
static const unsigned short webui_ids_74[] = {2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267};
static const float webui_weight_74[] = {1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1};
static const piece_vector comfy_74[] = {{"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}, {"strong", 6, 1.4}, {", ", 2, 1.0}};
static const int comfy_length_74[] = {60};
static const unsigned short comfy_ids_74[] = {2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267,2389,267};
static const float comfy_weight_74[] = {1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1,1.4f,1};
static const piece_vector webui_75[] = {{"start ", 6, 1.0}, {"", -1, 1.0}, {" word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word  ", 402, 1.0}, {"", -1, 1.0}, {" end", 4, 1.0}};
static const int webui_length_75[] = {1,75,5,1};
static const unsigned short webui_ids_75[] = {1572,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,806};
static const float webui_weight_75[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_75[] = {{"start BREAK word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word  BREAK end", 422, 1.0}};
static const int comfy_length_75[] = {75,9};
static const unsigned short comfy_ids_75[] = {1572,2568,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2568,806};
static const float comfy_weight_75[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_76[] = {{"<|endoftext|> after", 19, 1.0}};
static const int webui_length_76[] = {2};
static const unsigned short webui_ids_76[] = {8191,953};
static const float webui_weight_76[] = {1,1};
static const piece_vector comfy_76[] = {{"<|endoftext|> after", 19, 1.0}};
static const int comfy_length_76[] = {2};
static const unsigned short comfy_ids_76[] = {8191,953};
static const float comfy_weight_76[] = {1,1};
static const piece_vector webui_77[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,", 376, 1.0}};
static const int webui_length_77[] = {75,1};
static const unsigned short webui_ids_77[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267};
static const float webui_weight_77[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_77[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,", 376, 1.0}};
static const int comfy_length_77[] = {75,1};
static const unsigned short comfy_ids_77[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267};
static const float comfy_weight_77[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_78[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word a, b", 374, 1.0}};
static const int webui_length_78[] = {75,2};
static const unsigned short webui_ids_78[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,320,267,321};
static const float webui_weight_78[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_78[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word a, b", 374, 1.0}};
static const int comfy_length_78[] = {75,2};
static const unsigned short comfy_ids_78[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,320,267,321};
static const float comfy_weight_78[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const prompt_vector prompts[] = {
    {"", 0, 1, 1, webui_0, comfy_0, {{1, webui_length_0, webui_ids_0, webui_weight_0}, {1, comfy_length_0, comfy_ids_0, comfy_weight_0}}},
    {"a house", 7, 1, 1, webui_1, comfy_1, {{1, webui_length_1, webui_ids_1, webui_weight_1}, {1, comfy_length_1, comfy_ids_1, comfy_weight_1}}},
    {"an (important) word", 19, 3, 3, webui_2, comfy_2, {{1, webui_length_2, webui_ids_2, webui_weight_2}, {1, comfy_length_2, comfy_ids_2, comfy_weight_2}}},
    {"(unbalanced", 11, 1, 1, webui_3, comfy_3, {{1, webui_length_3, webui_ids_3, webui_weight_3}, {1, comfy_length_3, comfy_ids_3, comfy_weight_3}}},
    {"unbalanced)", 11, 1, 1, webui_4, comfy_4, {{1, webui_length_4, webui_ids_4, webui_weight_4}, {1, comfy_length_4, comfy_ids_4, comfy_weight_4}}},
    {"((a)", 4, 1, 1, webui_5, comfy_5, {{1, webui_length_5, webui_ids_5, webui_weight_5}, {1, comfy_length_5, comfy_ids_5, comfy_weight_5}}},
    {"(a))(b)", 7, 3, 2, webui_6, comfy_6, {{1, webui_length_6, webui_ids_6, webui_weight_6}, {1, comfy_length_6, comfy_ids_6, comfy_weight_6}}},
    {"[less] (more)", 13, 3, 2, webui_7, comfy_7, {{1, webui_length_7, webui_ids_7, webui_weight_7}, {1, comfy_length_7, comfy_ids_7, comfy_weight_7}}},
    {"(a:1.5)", 7, 1, 1, webui_8, comfy_8, {{1, webui_length_8, webui_ids_8, webui_weight_8}, {1, comfy_length_8, comfy_ids_8, comfy_weight_8}}},
    {"(a :1.5 )", 9, 1, 1, webui_9, comfy_9, {{1, webui_length_9, webui_ids_9, webui_weight_9}, {1, comfy_length_9, comfy_ids_9, comfy_weight_9}}},
    {"(a: 1.5)", 8, 1, 1, webui_10, comfy_10, {{1, webui_length_10, webui_ids_10, webui_weight_10}, {1, comfy_length_10, comfy_ids_10, comfy_weight_10}}},
    {"(a:1.5", 6, 1, 1, webui_11, comfy_11, {{1, webui_length_11, webui_ids_11, webui_weight_11}, {1, comfy_length_11, comfy_ids_11, comfy_weight_11}}},
    {"a:1.5)", 6, 1, 1, webui_12, comfy_12, {{1, webui_length_12, webui_ids_12, webui_weight_12}, {1, comfy_length_12, comfy_ids_12, comfy_weight_12}}},
    {"(a:b:1.2)", 9, 1, 1, webui_13, comfy_13, {{1, webui_length_13, webui_ids_13, webui_weight_13}, {1, comfy_length_13, comfy_ids_13, comfy_weight_13}}},
    {"(:1.2)", 6, 1, 1, webui_14, comfy_14, {{1, webui_length_14, webui_ids_14, webui_weight_14}, {1, comfy_length_14, comfy_ids_14, comfy_weight_14}}},
    {"(a:)", 4, 1, 1, webui_15, comfy_15, {{1, webui_length_15, webui_ids_15, webui_weight_15}, {1, comfy_length_15, comfy_ids_15, comfy_weight_15}}},
    {"(a:1e1)", 7, 1, 1, webui_16, comfy_16, {{1, webui_length_16, webui_ids_16, webui_weight_16}, {1, comfy_length_16, comfy_ids_16, comfy_weight_16}}},
    {"(a:1.2.3)", 9, 1, 1, webui_17, comfy_17, {{1, webui_length_17, webui_ids_17, webui_weight_17}, {1, comfy_length_17, comfy_ids_17, comfy_weight_17}}},
    {"(a:-0.5) b", 10, 2, 2, webui_18, comfy_18, {{1, webui_length_18, webui_ids_18, webui_weight_18}, {1, comfy_length_18, comfy_ids_18, comfy_weight_18}}},
    {"(a:.5)", 6, 1, 1, webui_19, comfy_19, {{1, webui_length_19, webui_ids_19, webui_weight_19}, {1, comfy_length_19, comfy_ids_19, comfy_weight_19}}},
    {"(a:+2)", 6, 1, 1, webui_20, comfy_20, {{1, webui_length_20, webui_ids_20, webui_weight_20}, {1, comfy_length_20, comfy_ids_20, comfy_weight_20}}},
    {"(a:1_0)", 7, 1, 1, webui_21, comfy_21, {{1, webui_length_21, webui_ids_21, webui_weight_21}, {1, comfy_length_21, comfy_ids_21, comfy_weight_21}}},
    {"(a:nan)", 7, 1, 1, webui_22, comfy_22, {{1, webui_length_22, webui_ids_22, webui_weight_22}, {1, comfy_length_22, comfy_ids_22, comfy_weight_22}}},
    {"(a:inf)", 7, 1, 1, webui_23, comfy_23, {{1, webui_length_23, webui_ids_23, webui_weight_23}, {1, comfy_length_23, comfy_ids_23, comfy_weight_23}}},
    {"(a:0)", 5, 1, 1, webui_24, comfy_24, {{1, webui_length_24, webui_ids_24, webui_weight_24}, {1, comfy_length_24, comfy_ids_24, comfy_weight_24}}},
    {"(old)(er)", 9, 1, 2, webui_25, comfy_25, {{1, webui_length_25, webui_ids_25, webui_weight_25}, {1, comfy_length_25, comfy_ids_25, comfy_weight_25}}},
    {"a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", 51, 9, 2, webui_26, comfy_26, {{1, webui_length_26, webui_ids_26, webui_weight_26}, {1, comfy_length_26, comfy_ids_26, comfy_weight_26}}},
    {"(a (b:1.3) c)", 13, 3, 3, webui_27, comfy_27, {{1, webui_length_27, webui_ids_27, webui_weight_27}, {1, comfy_length_27, comfy_ids_27, comfy_weight_27}}},
    {"([a])", 5, 1, 1, webui_28, comfy_28, {{1, webui_length_28, webui_ids_28, webui_weight_28}, {1, comfy_length_28, comfy_ids_28, comfy_weight_28}}},
    {"[(a])", 5, 1, 2, webui_29, comfy_29, {{1, webui_length_29, webui_ids_29, webui_weight_29}, {1, comfy_length_29, comfy_ids_29, comfy_weight_29}}},
    {"([a)]", 5, 1, 2, webui_30, comfy_30, {{1, webui_length_30, webui_ids_30, webui_weight_30}, {1, comfy_length_30, comfy_ids_30, comfy_weight_30}}},
    {"(a [b) c]", 9, 3, 2, webui_31, comfy_31, {{1, webui_length_31, webui_ids_31, webui_weight_31}, {1, comfy_length_31, comfy_ids_31, comfy_weight_31}}},
    {"((a:1.2) b:0.8)", 15, 2, 2, webui_32, comfy_32, {{1, webui_length_32, webui_ids_32, webui_weight_32}, {1, comfy_length_32, comfy_ids_32, comfy_weight_32}}},
    {"\134(literal\134)", 11, 1, 1, webui_33, comfy_33, {{1, webui_length_33, webui_ids_33, webui_weight_33}, {1, comfy_length_33, comfy_ids_33, comfy_weight_33}}},
    {"\134[x\134]", 5, 1, 1, webui_34, comfy_34, {{1, webui_length_34, webui_ids_34, webui_weight_34}, {1, comfy_length_34, comfy_ids_34, comfy_weight_34}}},
    {"back\134\134slash", 11, 1, 1, webui_35, comfy_35, {{1, webui_length_35, webui_ids_35, webui_weight_35}, {1, comfy_length_35, comfy_ids_35, comfy_weight_35}}},
    {"lone\134 back", 10, 1, 1, webui_36, comfy_36, {{1, webui_length_36, webui_ids_36, webui_weight_36}, {1, comfy_length_36, comfy_ids_36, comfy_weight_36}}},
    {"end\134", 4, 1, 1, webui_37, comfy_37, {{1, webui_length_37, webui_ids_37, webui_weight_37}, {1, comfy_length_37, comfy_ids_37, comfy_weight_37}}},
    {"\134\134(x)", 5, 2, 1, webui_38, comfy_38, {{1, webui_length_38, webui_ids_38, webui_weight_38}, {1, comfy_length_38, comfy_ids_38, comfy_weight_38}}},
    {"(a\134)b)", 6, 1, 1, webui_39, comfy_39, {{1, webui_length_39, webui_ids_39, webui_weight_39}, {1, comfy_length_39, comfy_ids_39, comfy_weight_39}}},
    {"(a\134(b:1.2)", 10, 1, 1, webui_40, comfy_40, {{1, webui_length_40, webui_ids_40, webui_weight_40}, {1, comfy_length_40, comfy_ids_40, comfy_weight_40}}},
    {"one BREAK two", 13, 3, 1, webui_41, comfy_41, {{2, webui_length_41, webui_ids_41, webui_weight_41}, {1, comfy_length_41, comfy_ids_41, comfy_weight_41}}},
    {"BREAK", 5, 3, 1, webui_42, comfy_42, {{1, webui_length_42, webui_ids_42, webui_weight_42}, {1, comfy_length_42, comfy_ids_42, comfy_weight_42}}},
    {"BREAK BREAK", 11, 5, 1, webui_43, comfy_43, {{2, webui_length_43, webui_ids_43, webui_weight_43}, {1, comfy_length_43, comfy_ids_43, comfy_weight_43}}},
    {"one BREAK", 9, 3, 1, webui_44, comfy_44, {{1, webui_length_44, webui_ids_44, webui_weight_44}, {1, comfy_length_44, comfy_ids_44, comfy_weight_44}}},
    {"oneBREAK two", 12, 1, 1, webui_45, comfy_45, {{1, webui_length_45, webui_ids_45, webui_weight_45}, {1, comfy_length_45, comfy_ids_45, comfy_weight_45}}},
    {"BREAKS", 6, 1, 1, webui_46, comfy_46, {{1, webui_length_46, webui_ids_46, webui_weight_46}, {1, comfy_length_46, comfy_ids_46, comfy_weight_46}}},
    {"_BREAK_", 7, 1, 1, webui_47, comfy_47, {{1, webui_length_47, webui_ids_47, webui_weight_47}, {1, comfy_length_47, comfy_ids_47, comfy_weight_47}}},
    {"\303\251BREAK \303\251", 10, 1, 1, webui_48, comfy_48, {{1, webui_length_48, webui_ids_48, webui_weight_48}, {1, comfy_length_48, comfy_ids_48, comfy_weight_48}}},
    {"a,BREAK,b", 9, 3, 1, webui_49, comfy_49, {{2, webui_length_49, webui_ids_49, webui_weight_49}, {1, comfy_length_49, comfy_ids_49, comfy_weight_49}}},
    {"(one BREAK two)", 15, 3, 1, webui_50, comfy_50, {{2, webui_length_50, webui_ids_50, webui_weight_50}, {1, comfy_length_50, comfy_ids_50, comfy_weight_50}}},
    {"na\303\257ve (caf\303\251:1.1) \346\227\245\346\234\254 (\360\237\230\200:2)", 34, 4, 4, webui_51, comfy_51, {{1, webui_length_51, webui_ids_51, webui_weight_51}, {1, comfy_length_51, comfy_ids_51, comfy_weight_51}}},
    {"line\012break (two\012lines:1.3)", 26, 2, 2, webui_52, comfy_52, {{1, webui_length_52, webui_ids_52, webui_weight_52}, {1, comfy_length_52, comfy_ids_52, comfy_weight_52}}},
    {"((((((((deep))))))))", 20, 1, 1, webui_53, comfy_53, {{1, webui_length_53, webui_ids_53, webui_weight_53}, {1, comfy_length_53, comfy_ids_53, comfy_weight_53}}},
    {"a:b", 3, 1, 1, webui_54, comfy_54, {{1, webui_length_54, webui_ids_54, webui_weight_54}, {1, comfy_length_54, comfy_ids_54, comfy_weight_54}}},
    {"a : b", 5, 1, 1, webui_55, comfy_55, {{1, webui_length_55, webui_ids_55, webui_weight_55}, {1, comfy_length_55, comfy_ids_55, comfy_weight_55}}},
    {"[", 1, 1, 1, webui_56, comfy_56, {{1, webui_length_56, webui_ids_56, webui_weight_56}, {1, comfy_length_56, comfy_ids_56, comfy_weight_56}}},
    {"]", 1, 1, 1, webui_57, comfy_57, {{1, webui_length_57, webui_ids_57, webui_weight_57}, {1, comfy_length_57, comfy_ids_57, comfy_weight_57}}},
    {")", 1, 1, 1, webui_58, comfy_58, {{1, webui_length_58, webui_ids_58, webui_weight_58}, {1, comfy_length_58, comfy_ids_58, comfy_weight_58}}},
    {":", 1, 1, 1, webui_59, comfy_59, {{1, webui_length_59, webui_ids_59, webui_weight_59}, {1, comfy_length_59, comfy_ids_59, comfy_weight_59}}},
    {"()", 2, 1, 1, webui_60, comfy_60, {{1, webui_length_60, webui_ids_60, webui_weight_60}, {1, comfy_length_60, comfy_ids_60, comfy_weight_60}}},
    {"[]", 2, 1, 1, webui_61, comfy_61, {{1, webui_length_61, webui_ids_61, webui_weight_61}, {1, comfy_length_61, comfy_ids_61, comfy_weight_61}}},
    {"(())", 4, 1, 1, webui_62, comfy_62, {{1, webui_length_62, webui_ids_62, webui_weight_62}, {1, comfy_length_62, comfy_ids_62, comfy_weight_62}}},
    {"( )", 3, 1, 1, webui_63, comfy_63, {{1, webui_length_63, webui_ids_63, webui_weight_63}, {1, comfy_length_63, comfy_ids_63, comfy_weight_63}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 375, 1, 1, webui_64, comfy_64, {{1, webui_length_64, webui_ids_64, webui_weight_64}, {1, comfy_length_64, comfy_ids_64, comfy_weight_64}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", 380, 1, 1, webui_65, comfy_65, {{2, webui_length_65, webui_ids_65, webui_weight_65}, {2, comfy_length_65, comfy_ids_65, comfy_weight_65}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , after", 377, 1, 1, webui_66, comfy_66, {{2, webui_length_66, webui_ids_66, webui_weight_66}, {2, comfy_length_66, comfy_ids_66, comfy_weight_66}}},
    {"word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, word, ", 240, 1, 1, webui_67, comfy_67, {{2, webui_length_67, webui_ids_67, webui_weight_67}, {2, comfy_length_67, comfy_ids_67, comfy_weight_67}}},
    {"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z ", 208, 1, 1, webui_68, comfy_68, {{2, webui_length_68, webui_ids_68, webui_weight_68}, {2, comfy_length_68, comfy_ids_68, comfy_weight_68}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 452, 1, 1, webui_69, comfy_69, {{2, webui_length_69, webui_ids_69, webui_weight_69}, {2, comfy_length_69, comfy_ids_69, comfy_weight_69}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail tail ", 402, 1, 1, webui_70, comfy_70, {{2, webui_length_70, webui_ids_70, webui_weight_70}, {2, comfy_length_70, comfy_ids_70, comfy_weight_70}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word (seven small words that stay together:1.2)", 392, 2, 2, webui_71, comfy_71, {{2, webui_length_71, webui_ids_71, webui_weight_71}, {2, comfy_length_71, comfy_ids_71, comfy_weight_71}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word (eight words and more that are parted in two:1.2) end", 403, 3, 3, webui_72, comfy_72, {{2, webui_length_72, webui_ids_72, webui_weight_72}, {2, comfy_length_72, comfy_ids_72, comfy_weight_72}}},
    {"x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x ", 400, 1, 1, webui_73, comfy_73, {{3, webui_length_73, webui_ids_73, webui_weight_73}, {3, comfy_length_73, comfy_ids_73, comfy_weight_73}}},
    {"(strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), (strong:1.4), ", 420, 60, 60, webui_74, comfy_74, {{1, webui_length_74, webui_ids_74, webui_weight_74}, {1, comfy_length_74, comfy_ids_74, comfy_weight_74}}},
    {"start BREAK word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word  BREAK end", 422, 5, 1, webui_75, comfy_75, {{4, webui_length_75, webui_ids_75, webui_weight_75}, {2, comfy_length_75, comfy_ids_75, comfy_weight_75}}},
    {"<|endoftext|> after", 19, 1, 1, webui_76, comfy_76, {{1, webui_length_76, webui_ids_76, webui_weight_76}, {1, comfy_length_76, comfy_ids_76, comfy_weight_76}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,", 376, 1, 1, webui_77, comfy_77, {{2, webui_length_77, webui_ids_77, webui_weight_77}, {2, comfy_length_77, comfy_ids_77, comfy_weight_77}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word a, b", 374, 1, 1, webui_78, comfy_78, {{2, webui_length_78, webui_ids_78, webui_weight_78}, {2, comfy_length_78, comfy_ids_78, comfy_weight_78}}},
};
typedef struct { const char *name; int n, first; } word_vector;
static const word_vector words[] = {{"glim", 2, 60000}, {"bad hands", 4, 60010}, {"bad-hands-5", 1, 60020}, {"bad", 3, 60030}, {"Wide", 40, 60040}, {"large", 75, 60100}, {"nine", 9, 60200}, {",stop", 2, 60220}};
static const piece_vector webui_w0[] = {{"glim", 4, 1.0}};
static const int webui_length_w0[] = {2};
static const unsigned short webui_ids_w0[] = {60000,60001};
static const float webui_weight_w0[] = {1,1};
static const piece_vector comfy_w0[] = {{"glim", 4, 1.0}};
static const int comfy_length_w0[] = {2};
static const unsigned short comfy_ids_w0[] = {5896,332};
static const float comfy_weight_w0[] = {1,1};
static const piece_vector webui_w1[] = {{"a Glim house", 12, 1.0}};
static const int webui_length_w1[] = {4};
static const unsigned short webui_ids_w1[] = {320,60000,60001,1212};
static const float webui_weight_w1[] = {1,1,1,1};
static const piece_vector comfy_w1[] = {{"a Glim house", 12, 1.0}};
static const int comfy_length_w1[] = {4};
static const unsigned short comfy_ids_w1[] = {320,5896,332,1212};
static const float comfy_weight_w1[] = {1,1,1,1};
static const piece_vector webui_w2[] = {{"glimmer", 7, 1.0}};
static const int webui_length_w2[] = {2};
static const unsigned short webui_ids_w2[] = {5896,7508};
static const float webui_weight_w2[] = {1,1};
static const piece_vector comfy_w2[] = {{"glimmer", 7, 1.0}};
static const int comfy_length_w2[] = {2};
static const unsigned short comfy_ids_w2[] = {5896,7508};
static const float comfy_weight_w2[] = {1,1};
static const piece_vector webui_w3[] = {{"a glim, glim", 12, 1.0}};
static const int webui_length_w3[] = {6};
static const unsigned short webui_ids_w3[] = {320,60000,60001,267,60000,60001};
static const float webui_weight_w3[] = {1,1,1,1,1,1};
static const piece_vector comfy_w3[] = {{"a glim, glim", 12, 1.0}};
static const int comfy_length_w3[] = {6};
static const unsigned short comfy_ids_w3[] = {320,5896,332,267,5896,332};
static const float comfy_weight_w3[] = {1,1,1,1,1,1};
static const piece_vector webui_w4[] = {{"glim", 4, 1.2}, {" ", 1, 1.0}, {"bad hands", 9, 0.9090909090909091}};
static const int webui_length_w4[] = {6};
static const unsigned short webui_ids_w4[] = {60000,60001,60010,60011,60012,60013};
static const float webui_weight_w4[] = {1.2f,1.2f,0.90909094f,0.90909094f,0.90909094f,0.90909094f};
static const piece_vector comfy_w4[] = {{"glim", 4, 1.2}, {" [bad hands]", 12, 1.0}};
static const int comfy_length_w4[] = {6};
static const unsigned short comfy_ids_w4[] = {5896,332,314,2103,3500,316};
static const float comfy_weight_w4[] = {1.2f,1.2f,1,1,1,1};
static const piece_vector webui_w5[] = {{"bad-hands-5, bad hands, bad", 27, 1.0}};
static const int webui_length_w5[] = {10};
static const unsigned short webui_ids_w5[] = {60020,267,60010,60011,60012,60013,267,60030,60031,60032};
static const float webui_weight_w5[] = {1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w5[] = {{"bad-hands-5, bad hands, bad", 27, 1.0}};
static const int comfy_length_w5[] = {10};
static const unsigned short comfy_ids_w5[] = {2103,268,3500,268,276,267,2103,3500,267,2103};
static const float comfy_weight_w5[] = {1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w6[] = {{"bad ", 4, 1.0}, {"hands", 5, 1.2}};
static const int webui_length_w6[] = {4};
static const unsigned short webui_ids_w6[] = {60030,60031,60032,3500};
static const float webui_weight_w6[] = {1,1,1,1.2f};
static const piece_vector comfy_w6[] = {{"bad ", 4, 1.0}, {"hands", 5, 1.2}};
static const int comfy_length_w6[] = {2};
static const unsigned short comfy_ids_w6[] = {2103,3500};
static const float comfy_weight_w6[] = {1,1.2f};
static const piece_vector webui_w7[] = {{"bad - hands - 5", 15, 1.0}};
static const int webui_length_w7[] = {1};
static const unsigned short webui_ids_w7[] = {60020};
static const float webui_weight_w7[] = {1};
static const piece_vector comfy_w7[] = {{"bad - hands - 5", 15, 1.0}};
static const int comfy_length_w7[] = {5};
static const unsigned short comfy_ids_w7[] = {2103,268,3500,268,276};
static const float comfy_weight_w7[] = {1,1,1,1,1};
static const piece_vector webui_w8[] = {{"GLIM glim glimglim", 18, 1.0}};
static const int webui_length_w8[] = {8};
static const unsigned short webui_ids_w8[] = {60000,60001,60000,60001,70,2377,60000,60001};
static const float webui_weight_w8[] = {1,1,1,1,1,1,1,1};
static const piece_vector comfy_w8[] = {{"GLIM glim glimglim", 18, 1.0}};
static const int comfy_length_w8[] = {8};
static const unsigned short comfy_ids_w8[] = {5896,332,5896,332,70,2377,5896,332};
static const float comfy_weight_w8[] = {1,1,1,1,1,1,1,1};
static const piece_vector webui_w9[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim", 374, 1.0}};
static const int webui_length_w9[] = {74,2};
static const unsigned short webui_ids_w9[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60000,60001};
static const float webui_weight_w9[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w9[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim", 374, 1.0}};
static const int comfy_length_w9[] = {75,1};
static const unsigned short comfy_ids_w9[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,5896,332};
static const float comfy_weight_w9[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w10[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim end", 373, 1.0}};
static const int webui_length_w10[] = {75,1};
static const unsigned short webui_ids_w10[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60000,60001,806};
static const float webui_weight_w10[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w10[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim end", 373, 1.0}};
static const int comfy_length_w10[] = {75,1};
static const unsigned short comfy_ids_w10[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,5896,332,806};
static const float comfy_weight_w10[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w11[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim glim glim", 366, 1.0}};
static const int webui_length_w11[] = {71,6};
static const unsigned short webui_ids_w11[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,60000,60001,60000,60001,60000,60001};
static const float webui_weight_w11[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w11[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim glim glim", 366, 1.0}};
static const int comfy_length_w11[] = {75,2};
static const unsigned short comfy_ids_w11[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,5896,332,5896,332,5896,332};
static const float comfy_weight_w11[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w12[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , a glim , a glim , a glim , a glim , a glim , a glim , a glim , a glim ", 372, 1.0}};
static const int webui_length_w12[] = {74,18};
static const unsigned short webui_ids_w12[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001,267,320,60000,60001};
static const float webui_weight_w12[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w12[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , a glim , a glim , a glim , a glim , a glim , a glim , a glim , a glim ", 372, 1.0}};
static const int comfy_length_w12[] = {75,17};
static const unsigned short comfy_ids_w12[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,320,5896,332,267,320,5896,332,267,320,5896,332,267,320,5896,332,267,320,5896,332,267,320,5896,332,267,320,5896,332,267,320,5896,332};
static const float comfy_weight_w12[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w13[] = {{"wide wide", 9, 1.0}};
static const int webui_length_w13[] = {40,40};
static const unsigned short webui_ids_w13[] = {60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079};
static const float webui_weight_w13[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w13[] = {{"wide wide", 9, 1.0}};
static const int comfy_length_w13[] = {2};
static const unsigned short comfy_ids_w13[] = {3184,3184};
static const float comfy_weight_w13[] = {1,1};
static const piece_vector webui_w14[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word wide", 184, 1.0}};
static const int webui_length_w14[] = {36,40};
static const unsigned short webui_ids_w14[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079};
static const float webui_weight_w14[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w14[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word wide", 184, 1.0}};
static const int comfy_length_w14[] = {37};
static const unsigned short comfy_ids_w14[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,3184};
static const float comfy_weight_w14[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w15[] = {{"large", 5, 1.0}};
static const int webui_length_w15[] = {75};
static const unsigned short webui_ids_w15[] = {60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174};
static const float webui_weight_w15[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w15[] = {{"large", 5, 1.0}};
static const int comfy_length_w15[] = {1};
static const unsigned short comfy_ids_w15[] = {3638};
static const float comfy_weight_w15[] = {1};
static const piece_vector webui_w16[] = {{"a large b", 9, 1.0}};
static const int webui_length_w16[] = {1,75,1};
static const unsigned short webui_ids_w16[] = {320,60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174,321};
static const float webui_weight_w16[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w16[] = {{"a large b", 9, 1.0}};
static const int comfy_length_w16[] = {3};
static const unsigned short comfy_ids_w16[] = {320,3638,321};
static const float comfy_weight_w16[] = {1,1,1};
static const piece_vector webui_w17[] = {{"large", 5, 1.3}, {", large", 7, 1.0}};
static const int webui_length_w17[] = {75,1,75};
static const unsigned short webui_ids_w17[] = {60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174,267,60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174};
static const float webui_weight_w17[] = {1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1.3f,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w17[] = {{"large", 5, 1.3}, {", large", 7, 1.0}};
static const int comfy_length_w17[] = {3};
static const unsigned short comfy_ids_w17[] = {3638,267,3638};
static const float comfy_weight_w17[] = {1.3f,1,1};
static const piece_vector webui_w18[] = {{"word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , wide, wide", 150, 1.0}};
static const int webui_length_w18[] = {40,41,40};
static const unsigned short webui_ids_w18[] = {2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079,267,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079};
static const float webui_weight_w18[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w18[] = {{"word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , wide, wide", 150, 1.0}};
static const int comfy_length_w18[] = {43};
static const unsigned short comfy_ids_w18[] = {2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,2653,267,3184,267,3184};
static const float comfy_weight_w18[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w19[] = {{"glim,stop", 9, 1.0}};
static const int webui_length_w19[] = {4};
static const unsigned short webui_ids_w19[] = {60000,60001,60220,60221};
static const float webui_weight_w19[] = {1,1,1,1};
static const piece_vector comfy_w19[] = {{"glim,stop", 9, 1.0}};
static const int comfy_length_w19[] = {4};
static const unsigned short comfy_ids_w19[] = {5896,332,267,1691};
static const float comfy_weight_w19[] = {1,1,1,1};
static const piece_vector webui_w20[] = {{"a ,stop b", 9, 1.0}};
static const int webui_length_w20[] = {4};
static const unsigned short webui_ids_w20[] = {320,60220,60221,321};
static const float webui_weight_w20[] = {1,1,1,1};
static const piece_vector comfy_w20[] = {{"a ,stop b", 9, 1.0}};
static const int comfy_length_w20[] = {4};
static const unsigned short comfy_ids_w20[] = {320,267,1691,321};
static const float comfy_weight_w20[] = {1,1,1,1};
static const piece_vector webui_w21[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,stop", 380, 1.0}};
static const int webui_length_w21[] = {75,2};
static const unsigned short webui_ids_w21[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60220,60221};
static const float webui_weight_w21[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w21[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,stop", 380, 1.0}};
static const int comfy_length_w21[] = {75,2};
static const unsigned short comfy_ids_w21[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,1691};
static const float comfy_weight_w21[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w22[] = {{"glim ", 5, 1.0}, {"", -1, 1.0}, {" bad ", 5, 1.0}, {"", -1, 1.0}, {"", 0, 1.0}};
static const int webui_length_w22[] = {2,3};
static const unsigned short webui_ids_w22[] = {60000,60001,60030,60031,60032};
static const float webui_weight_w22[] = {1,1,1,1,1};
static const piece_vector comfy_w22[] = {{"glim BREAK bad BREAK", 20, 1.0}};
static const int comfy_length_w22[] = {5};
static const unsigned short comfy_ids_w22[] = {5896,332,2568,2103,2568};
static const float comfy_weight_w22[] = {1,1,1,1,1};
static const piece_vector webui_w23[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim bad tail tail tail tail tail tail tail tail tail tail ", 421, 1.0}};
static const int webui_length_w23[] = {73,15};
static const unsigned short webui_ids_w23[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,60000,60001,60030,60031,60032,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float webui_weight_w23[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w23[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim bad tail tail tail tail tail tail tail tail tail tail ", 421, 1.0}};
static const int comfy_length_w23[] = {75,11};
static const unsigned short comfy_ids_w23[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,267,5896,332,2103,4132,4132,4132,4132,4132,4132,4132,4132,4132,4132};
static const float comfy_weight_w23[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w24[] = {{"embedding:glim", 14, 1.0}};
static const int webui_length_w24[] = {6};
static const unsigned short webui_ids_w24[] = {908,4152,796,281,60000,60001};
static const float webui_weight_w24[] = {1,1,1,1,1,1};
static const piece_vector comfy_w24[] = {{"embedding:glim", 14, 1.0}};
static const int comfy_length_w24[] = {2};
static const unsigned short comfy_ids_w24[] = {60000,60001};
static const float comfy_weight_w24[] = {1,1};
static const piece_vector webui_w25[] = {{"a embedding:glim house", 22, 1.0}};
static const int webui_length_w25[] = {8};
static const unsigned short webui_ids_w25[] = {320,908,4152,796,281,60000,60001,1212};
static const float webui_weight_w25[] = {1,1,1,1,1,1,1,1};
static const piece_vector comfy_w25[] = {{"a embedding:glim house", 22, 1.0}};
static const int comfy_length_w25[] = {4};
static const unsigned short comfy_ids_w25[] = {320,60000,60001,1212};
static const float comfy_weight_w25[] = {1,1,1,1};
static const piece_vector webui_w26[] = {{"a, embedding:glim, house", 24, 1.0}};
static const int webui_length_w26[] = {10};
static const unsigned short webui_ids_w26[] = {320,267,908,4152,796,281,60000,60001,267,1212};
static const float webui_weight_w26[] = {1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w26[] = {{"a, embedding:glim, house", 24, 1.0}};
static const int comfy_length_w26[] = {6};
static const unsigned short comfy_ids_w26[] = {320,267,60000,60001,267,1212};
static const float comfy_weight_w26[] = {1,1,1,1,1,1};
static const piece_vector webui_w27[] = {{"x,embedding:glim", 16, 1.0}};
static const int webui_length_w27[] = {8};
static const unsigned short webui_ids_w27[] = {343,267,908,4152,796,281,60000,60001};
static const float webui_weight_w27[] = {1,1,1,1,1,1,1,1};
static const piece_vector comfy_w27[] = {{"x,embedding:glim", 16, 1.0}};
static const int comfy_length_w27[] = {8};
static const unsigned short comfy_ids_w27[] = {343,267,908,4152,796,281,5896,332};
static const float comfy_weight_w27[] = {1,1,1,1,1,1,1,1};
static const piece_vector webui_w28[] = {{"embedding:glim embedding:nine,, end", 35, 1.0}};
static const int webui_length_w28[] = {22};
static const unsigned short webui_ids_w28[] = {908,4152,796,281,60000,60001,908,4152,796,281,60200,60201,60202,60203,60204,60205,60206,60207,60208,11,267,806};
static const float webui_weight_w28[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w28[] = {{"embedding:glim embedding:nine,, end", 35, 1.0}};
static const int comfy_length_w28[] = {14};
static const unsigned short comfy_ids_w28[] = {60000,60001,60200,60201,60202,60203,60204,60205,60206,60207,60208,11,267,806};
static const float comfy_weight_w28[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w29[] = {{"embedding:glim", 14, 1.2}};
static const int webui_length_w29[] = {6};
static const unsigned short webui_ids_w29[] = {908,4152,796,281,60000,60001};
static const float webui_weight_w29[] = {1.2f,1.2f,1.2f,1.2f,1.2f,1.2f};
static const piece_vector comfy_w29[] = {{"embedding:glim", 14, 1.2}};
static const int comfy_length_w29[] = {2};
static const unsigned short comfy_ids_w29[] = {60000,60001};
static const float comfy_weight_w29[] = {1.2f,1.2f};
static const piece_vector webui_w30[] = {{"embedding:glim", 14, 1.1}};
static const int webui_length_w30[] = {6};
static const unsigned short webui_ids_w30[] = {908,4152,796,281,60000,60001};
static const float webui_weight_w30[] = {1.1f,1.1f,1.1f,1.1f,1.1f,1.1f};
static const piece_vector comfy_w30[] = {{"embedding:glim", 14, 1.1}};
static const int comfy_length_w30[] = {2};
static const unsigned short comfy_ids_w30[] = {60000,60001};
static const float comfy_weight_w30[] = {1.1f,1.1f};
static const piece_vector webui_w31[] = {{"a embedding:nine b", 18, 0.8}, {" c", 2, 1.0}};
static const int webui_length_w31[] = {16};
static const unsigned short webui_ids_w31[] = {320,908,4152,796,281,60200,60201,60202,60203,60204,60205,60206,60207,60208,321,322};
static const float webui_weight_w31[] = {0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,1};
static const piece_vector comfy_w31[] = {{"a embedding:nine b", 18, 0.8}, {" c", 2, 1.0}};
static const int comfy_length_w31[] = {12};
static const unsigned short comfy_ids_w31[] = {320,60200,60201,60202,60203,60204,60205,60206,60207,60208,321,322};
static const float comfy_weight_w31[] = {0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,0.8f,1};
static const piece_vector webui_w32[] = {{"line\012embedding:nine", 19, 1.0}};
static const int webui_length_w32[] = {14};
static const unsigned short webui_ids_w32[] = {1148,908,4152,796,281,60200,60201,60202,60203,60204,60205,60206,60207,60208};
static const float webui_weight_w32[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w32[] = {{"line\012embedding:nine", 19, 1.0}};
static const int comfy_length_w32[] = {10};
static const unsigned short comfy_ids_w32[] = {1148,60200,60201,60202,60203,60204,60205,60206,60207,60208};
static const float comfy_weight_w32[] = {1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w33[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:nine end", 368, 1.0}};
static const int webui_length_w33[] = {74,10};
static const unsigned short webui_ids_w33[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,908,4152,796,281,60200,60201,60202,60203,60204,60205,60206,60207,60208,806};
static const float webui_weight_w33[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w33[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:nine end", 368, 1.0}};
static const int comfy_length_w33[] = {75,5};
static const unsigned short comfy_ids_w33[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60200,60201,60202,60203,60204,60205,60206,60207,60208,806};
static const float comfy_weight_w33[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w34[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 368, 1.0}};
static const int webui_length_w34[] = {74,3};
static const unsigned short webui_ids_w34[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,908,4152,796,281,60000,60001,806};
static const float webui_weight_w34[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w34[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 368, 1.0}};
static const int comfy_length_w34[] = {73};
static const unsigned short comfy_ids_w34[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60000,60001,806};
static const float comfy_weight_w34[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w35[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 388, 1.0}};
static const int webui_length_w35[] = {75,6};
static const unsigned short webui_ids_w35[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,908,4152,796,281,60000,60001,806};
static const float webui_weight_w35[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w35[] = {{"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 388, 1.0}};
static const int comfy_length_w35[] = {74,3};
static const unsigned short comfy_ids_w35[] = {2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,2653,60000,60001,806};
static const float comfy_weight_w35[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector webui_w36[] = {{"embedding: glim", 15, 1.0}};
static const int webui_length_w36[] = {6};
static const unsigned short webui_ids_w36[] = {908,4152,796,281,60000,60001};
static const float webui_weight_w36[] = {1,1,1,1,1,1};
static const piece_vector comfy_w36[] = {{"embedding: glim", 15, 1.0}};
static const int comfy_length_w36[] = {2};
static const unsigned short comfy_ids_w36[] = {60000,60001};
static const float comfy_weight_w36[] = {1,1};
static const piece_vector webui_w37[] = {{"embedding:glim.pt", 17, 1.0}};
static const int webui_length_w37[] = {8};
static const unsigned short webui_ids_w37[] = {908,4152,796,281,60000,60001,269,1459};
static const float webui_weight_w37[] = {1,1,1,1,1,1,1,1};
static const piece_vector comfy_w37[] = {{"embedding:glim.pt", 17, 1.0}};
static const int comfy_length_w37[] = {2};
static const unsigned short comfy_ids_w37[] = {60000,60001};
static const float comfy_weight_w37[] = {1,1};
static const piece_vector webui_w38[] = {{"embedding:large embedding:Wide.pt", 33, 1.0}};
static const int webui_length_w38[] = {4,75,46};
static const unsigned short webui_ids_w38[] = {908,4152,796,281,60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174,908,4152,796,281,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079,269,1459};
static const float webui_weight_w38[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const piece_vector comfy_w38[] = {{"embedding:large embedding:Wide.pt", 33, 1.0}};
static const int comfy_length_w38[] = {75,40};
static const unsigned short comfy_ids_w38[] = {60100,60101,60102,60103,60104,60105,60106,60107,60108,60109,60110,60111,60112,60113,60114,60115,60116,60117,60118,60119,60120,60121,60122,60123,60124,60125,60126,60127,60128,60129,60130,60131,60132,60133,60134,60135,60136,60137,60138,60139,60140,60141,60142,60143,60144,60145,60146,60147,60148,60149,60150,60151,60152,60153,60154,60155,60156,60157,60158,60159,60160,60161,60162,60163,60164,60165,60166,60167,60168,60169,60170,60171,60172,60173,60174,60040,60041,60042,60043,60044,60045,60046,60047,60048,60049,60050,60051,60052,60053,60054,60055,60056,60057,60058,60059,60060,60061,60062,60063,60064,60065,60066,60067,60068,60069,60070,60071,60072,60073,60074,60075,60076,60077,60078,60079};
static const float comfy_weight_w38[] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1};
static const prompt_vector embedded[] = {
    {"glim", 4, 1, 1, webui_w0, comfy_w0, {{1, webui_length_w0, webui_ids_w0, webui_weight_w0}, {1, comfy_length_w0, comfy_ids_w0, comfy_weight_w0}}},
    {"a Glim house", 12, 1, 1, webui_w1, comfy_w1, {{1, webui_length_w1, webui_ids_w1, webui_weight_w1}, {1, comfy_length_w1, comfy_ids_w1, comfy_weight_w1}}},
    {"glimmer", 7, 1, 1, webui_w2, comfy_w2, {{1, webui_length_w2, webui_ids_w2, webui_weight_w2}, {1, comfy_length_w2, comfy_ids_w2, comfy_weight_w2}}},
    {"a glim, glim", 12, 1, 1, webui_w3, comfy_w3, {{1, webui_length_w3, webui_ids_w3, webui_weight_w3}, {1, comfy_length_w3, comfy_ids_w3, comfy_weight_w3}}},
    {"(glim:1.2) [bad hands]", 22, 3, 2, webui_w4, comfy_w4, {{1, webui_length_w4, webui_ids_w4, webui_weight_w4}, {1, comfy_length_w4, comfy_ids_w4, comfy_weight_w4}}},
    {"bad-hands-5, bad hands, bad", 27, 1, 1, webui_w5, comfy_w5, {{1, webui_length_w5, webui_ids_w5, webui_weight_w5}, {1, comfy_length_w5, comfy_ids_w5, comfy_weight_w5}}},
    {"bad (hands:1.2)", 15, 2, 2, webui_w6, comfy_w6, {{1, webui_length_w6, webui_ids_w6, webui_weight_w6}, {1, comfy_length_w6, comfy_ids_w6, comfy_weight_w6}}},
    {"bad - hands - 5", 15, 1, 1, webui_w7, comfy_w7, {{1, webui_length_w7, webui_ids_w7, webui_weight_w7}, {1, comfy_length_w7, comfy_ids_w7, comfy_weight_w7}}},
    {"GLIM glim glimglim", 18, 1, 1, webui_w8, comfy_w8, {{1, webui_length_w8, webui_ids_w8, webui_weight_w8}, {1, comfy_length_w8, comfy_ids_w8, comfy_weight_w8}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim", 374, 1, 1, webui_w9, comfy_w9, {{2, webui_length_w9, webui_ids_w9, webui_weight_w9}, {2, comfy_length_w9, comfy_ids_w9, comfy_weight_w9}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word glim end", 373, 1, 1, webui_w10, comfy_w10, {{2, webui_length_w10, webui_ids_w10, webui_weight_w10}, {2, comfy_length_w10, comfy_ids_w10, comfy_weight_w10}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim glim glim", 366, 1, 1, webui_w11, comfy_w11, {{2, webui_length_w11, webui_ids_w11, webui_weight_w11}, {2, comfy_length_w11, comfy_ids_w11, comfy_weight_w11}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , a glim , a glim , a glim , a glim , a glim , a glim , a glim , a glim ", 372, 1, 1, webui_w12, comfy_w12, {{2, webui_length_w12, webui_ids_w12, webui_weight_w12}, {2, comfy_length_w12, comfy_ids_w12, comfy_weight_w12}}},
    {"wide wide", 9, 1, 1, webui_w13, comfy_w13, {{2, webui_length_w13, webui_ids_w13, webui_weight_w13}, {1, comfy_length_w13, comfy_ids_w13, comfy_weight_w13}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word wide", 184, 1, 1, webui_w14, comfy_w14, {{2, webui_length_w14, webui_ids_w14, webui_weight_w14}, {1, comfy_length_w14, comfy_ids_w14, comfy_weight_w14}}},
    {"large", 5, 1, 1, webui_w15, comfy_w15, {{1, webui_length_w15, webui_ids_w15, webui_weight_w15}, {1, comfy_length_w15, comfy_ids_w15, comfy_weight_w15}}},
    {"a large b", 9, 1, 1, webui_w16, comfy_w16, {{3, webui_length_w16, webui_ids_w16, webui_weight_w16}, {1, comfy_length_w16, comfy_ids_w16, comfy_weight_w16}}},
    {"(large:1.3), large", 18, 2, 2, webui_w17, comfy_w17, {{3, webui_length_w17, webui_ids_w17, webui_weight_w17}, {1, comfy_length_w17, comfy_ids_w17, comfy_weight_w17}}},
    {"word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , word , wide, wide", 150, 1, 1, webui_w18, comfy_w18, {{3, webui_length_w18, webui_ids_w18, webui_weight_w18}, {1, comfy_length_w18, comfy_ids_w18, comfy_weight_w18}}},
    {"glim,stop", 9, 1, 1, webui_w19, comfy_w19, {{1, webui_length_w19, webui_ids_w19, webui_weight_w19}, {1, comfy_length_w19, comfy_ids_w19, comfy_weight_w19}}},
    {"a ,stop b", 9, 1, 1, webui_w20, comfy_w20, {{1, webui_length_w20, webui_ids_w20, webui_weight_w20}, {1, comfy_length_w20, comfy_ids_w20, comfy_weight_w20}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ,stop", 380, 1, 1, webui_w21, comfy_w21, {{2, webui_length_w21, webui_ids_w21, webui_weight_w21}, {2, comfy_length_w21, comfy_ids_w21, comfy_weight_w21}}},
    {"glim BREAK bad BREAK", 20, 5, 1, webui_w22, comfy_w22, {{2, webui_length_w22, webui_ids_w22, webui_weight_w22}, {1, comfy_length_w22, comfy_ids_w22, comfy_weight_w22}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word , glim bad tail tail tail tail tail tail tail tail tail tail ", 421, 1, 1, webui_w23, comfy_w23, {{2, webui_length_w23, webui_ids_w23, webui_weight_w23}, {2, comfy_length_w23, comfy_ids_w23, comfy_weight_w23}}},
    {"embedding:glim", 14, 1, 1, webui_w24, comfy_w24, {{1, webui_length_w24, webui_ids_w24, webui_weight_w24}, {1, comfy_length_w24, comfy_ids_w24, comfy_weight_w24}}},
    {"a embedding:glim house", 22, 1, 1, webui_w25, comfy_w25, {{1, webui_length_w25, webui_ids_w25, webui_weight_w25}, {1, comfy_length_w25, comfy_ids_w25, comfy_weight_w25}}},
    {"a, embedding:glim, house", 24, 1, 1, webui_w26, comfy_w26, {{1, webui_length_w26, webui_ids_w26, webui_weight_w26}, {1, comfy_length_w26, comfy_ids_w26, comfy_weight_w26}}},
    {"x,embedding:glim", 16, 1, 1, webui_w27, comfy_w27, {{1, webui_length_w27, webui_ids_w27, webui_weight_w27}, {1, comfy_length_w27, comfy_ids_w27, comfy_weight_w27}}},
    {"embedding:glim embedding:nine,, end", 35, 1, 1, webui_w28, comfy_w28, {{1, webui_length_w28, webui_ids_w28, webui_weight_w28}, {1, comfy_length_w28, comfy_ids_w28, comfy_weight_w28}}},
    {"(embedding:glim:1.2)", 20, 1, 1, webui_w29, comfy_w29, {{1, webui_length_w29, webui_ids_w29, webui_weight_w29}, {1, comfy_length_w29, comfy_ids_w29, comfy_weight_w29}}},
    {"(embedding:glim)", 16, 1, 1, webui_w30, comfy_w30, {{1, webui_length_w30, webui_ids_w30, webui_weight_w30}, {1, comfy_length_w30, comfy_ids_w30, comfy_weight_w30}}},
    {"(a embedding:nine b:0.8) c", 26, 2, 2, webui_w31, comfy_w31, {{1, webui_length_w31, webui_ids_w31, webui_weight_w31}, {1, comfy_length_w31, comfy_ids_w31, comfy_weight_w31}}},
    {"line\012embedding:nine", 19, 1, 1, webui_w32, comfy_w32, {{1, webui_length_w32, webui_ids_w32, webui_weight_w32}, {1, comfy_length_w32, comfy_ids_w32, comfy_weight_w32}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:nine end", 368, 1, 1, webui_w33, comfy_w33, {{2, webui_length_w33, webui_ids_w33, webui_weight_w33}, {2, comfy_length_w33, comfy_ids_w33, comfy_weight_w33}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 368, 1, 1, webui_w34, comfy_w34, {{2, webui_length_w34, webui_ids_w34, webui_weight_w34}, {1, comfy_length_w34, comfy_ids_w34, comfy_weight_w34}}},
    {"word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word embedding:glim end", 388, 1, 1, webui_w35, comfy_w35, {{2, webui_length_w35, webui_ids_w35, webui_weight_w35}, {2, comfy_length_w35, comfy_ids_w35, comfy_weight_w35}}},
    {"embedding: glim", 15, 1, 1, webui_w36, comfy_w36, {{1, webui_length_w36, webui_ids_w36, webui_weight_w36}, {1, comfy_length_w36, comfy_ids_w36, comfy_weight_w36}}},
    {"embedding:glim.pt", 17, 1, 1, webui_w37, comfy_w37, {{1, webui_length_w37, webui_ids_w37, webui_weight_w37}, {1, comfy_length_w37, comfy_ids_w37, comfy_weight_w37}}},
    {"embedding:large embedding:Wide.pt", 33, 1, 1, webui_w38, comfy_w38, {{3, webui_length_w38, webui_ids_w38, webui_weight_w38}, {2, comfy_length_w38, comfy_ids_w38, comfy_weight_w38}}},
};
enum { EMPHASIS_CONTEXT = 8, EMPHASIS_WIDTH = 3 };
static const float emphasis_weight[] = {1,1.3f,1,0.5f,-1,1,0,1};
static const float emphasis_features[] = {0.3f,1.0833269f,1.2738476f,1.2916648f,0.8155014f,-0.050783228f,0.0444589f,-0.61616594f,-0.58345467f,-0.6258147f,0.020584501f,0.8784398f,0.79411334f,1.2881682f,1.0343971f,1.0984871f,0.32477543f,-0.46768582f,-0.3998747f,-0.6945526f,-0.23657292f,-0.3181371f,0.5315098f,1.2059548f};
static const float emphasis_empty[] = {1.2092974f,0.5392493f,-0.31185788f,-0.22983614f,-0.693691f,-0.40554032f,-0.4727645f,0.3168139f,1.0936679f,1.028969f,1.2893583f,0.80102086f,0.8849172f,0.028239373f,-0.62277544f,-0.57969576f,-0.6193285f,0.03676821f,-0.058229282f,0.80866146f,1.2906073f,1.2720075f,1.0882521f,0.3079632f};
static const float emphasis_webui[] = {0.6715859f,2.425157f,2.8516605f,3.7590103f,2.3732767f,-0.14778964f,0.09952657f,-1.3793613f,-1.3061332f,-0.7004805f,0.023040436f,0.9832463f,-1.7777178f,-2.8837187f,-2.3156219f,2.459095f,0.7270487f,-1.0469707f,0,0,0,-0.712188f,1.1898484f,2.6996741f};
static const float emphasis_comfy[] = {0.3f,1.0833269f,1.2738476f,1.7481151f,1.268259f,0.0556439f,0.0444589f,-0.61616594f,-0.58345467f,0.20157717f,0.65497136f,0.8397303f,0.97572106f,-1.2316895f,-2.279948f,1.0984871f,0.32477543f,-0.46768582f,-0.058229282f,0.80866146f,1.2906073f,-0.3181371f,0.5315098f,1.2059548f};
